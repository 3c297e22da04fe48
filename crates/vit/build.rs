//! Lets the tests of this crate find libtorch without `LD_LIBRARY_PATH`, and with its CUDA half where
//! there is one.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    let Some(folder) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") else { return };
    let folder = Path::new(&folder);
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    if folder.join("libtorch_cuda.so").exists() {
        // No symbol names it, so without this the linker leaves it out and no GPU is ever found.
        println!("cargo:rustc-link-arg=-L{}", folder.display());
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
}
