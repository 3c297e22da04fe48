//! Compiles the kernels: the loops once for each kind of CPU, the glue against libtorch's headers.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    let x86 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    loops("baseline", &[]);
    if x86 {
        loops("avx2", &["-mavx2", "-mfma"]);
        loops("avx512", &["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]);
    }

    let libtorch =
        PathBuf::from(env::var_os("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where"));
    let include = libtorch.parent().expect("it is a folder in libtorch").join("include");
    let mut glue = compiler();
    if x86 {
        glue.define("AUGREG_X86", None);
    }
    // For the tests of this crate, one of which plays the CUDA runtime.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", libtorch.display());
    println!("cargo:rustc-link-arg-tests=-Wl,--export-dynamic");
    glue.include(&include)
        .include(include.join("torch/csrc/api/include"))
        .flag("-fopenmp")
        .opt_level(2)
        .file("src/about.cpp")
        .file("src/kernels.cpp")
        .file("src/memory.cpp")
        .file("src/upload.cpp")
        .compile("augreg_kernels");
}

fn loops(kind: &str, flags: &[&str]) {
    let mut build = compiler();
    if !flags.is_empty() {
        build.define("AUGREG_X86", None);
    }
    for flag in flags {
        build.flag(flag);
    }
    build
        .define("AUGREG_NAME", format!("augreg_loops_{kind}").as_str())
        .flag("-fno-math-errno")
        .flag("-fno-trapping-math")
        .opt_level(3)
        .file("src/loops.cpp")
        .compile(&format!("augreg_loops_{kind}"));
}

fn compiler() -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++20").warnings(false);
    build
}
