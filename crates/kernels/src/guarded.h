// Exceptions end here: what is behind `extern "C"` has none.
#pragma once

#include <cstdlib>
#include <cstring>
#include <exception>

// What went wrong, for the caller to free; null if nothing did.
template <typename Run> inline char *guarded(Run run) {
    try {
        run();
        return nullptr;
    } catch (const std::exception &error) {
        return strdup(error.what());
    } catch (...) {
        return strdup("an unknown exception");
    }
}
