// What libtorch says about itself.
#include <ATen/Version.h>

#include <cstring>

#include "guarded.h"

extern "C" {

// How the libtorch that is loaded was built and which instructions it uses, for the caller to free.
char *augreg_libtorch(char **text) {
    return guarded([&] { *text = strdup(at::show_config().c_str()); });
}

} // extern "C"
