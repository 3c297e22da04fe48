//! Lets the tests of this crate find libtorch without `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Some(folder) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    // Without this the linker drops libtorch_cuda, which nothing names but everything needs.
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
}
