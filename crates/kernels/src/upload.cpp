// From the host's memory to a device, without a copy on the way.
#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <dlfcn.h>

#include <memory>

#include "guarded.h"

namespace {

// What a copy that was asked for reads from, and what tells when it is done.
struct Flight {
    at::Tensor host;
    c10::Event done;
};

// A function of the CUDA runtime, if one is in this process: libtorch brings it along with its CUDA
// half, and this crate is compiled without.
template <typename Function> Function *runtime(const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_DEFAULT, name));
}

// The runtime acts on a thread's current device, and makes a context on the first if there is none.
struct On {
    c10::OptionalDeviceGuard guard;

    explicit On(int device) {
        if (c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA))
            guard.reset_device(c10::Device(c10::DeviceType::CUDA, c10::DeviceIndex(device)));
    }
};

} // namespace

extern "C" {

// Makes a tensor of `bytes`, which `drop` frees with their owner, once, whatever happens. On a device
// that is not the CPU (-1) it is a copy, and `flight` what to wait for.
char *augreg_upload(void *bytes, const int64_t *shape, size_t dimensions, void *owner, void (*drop)(void *),
                    int device, at::Tensor **out, Flight **flight) {
    return guarded([&] {
        std::shared_ptr<void> held(owner, drop);
        at::Tensor host = at::for_blob(bytes, at::IntArrayRef(shape, dimensions))
                              .deleter([held](void *) {})
                              .options(at::TensorOptions(at::kByte))
                              .make_tensor();
        held.reset();
        if (device < 0) {
            *out = new at::Tensor(host);
            return;
        }
        c10::Device to(c10::DeviceType::CUDA, c10::DeviceIndex(device));
        c10::impl::VirtualGuardImpl devices(to.type());
        c10::DeviceGuard guard(to);
        // What could not be locked goes through memory that libtorch has locked.
        if (!host.is_pinned()) host = host.pin_memory();
        auto begun = std::make_unique<Flight>(Flight{host, c10::Event(to.type())});
        auto there = std::make_unique<at::Tensor>(host.to(to, /*non_blocking=*/true));
        begun->done.record(devices.getStream(to));
        *out = there.release();
        *flight = begun.release();
    });
}

// Waits until the copy is done and lets go of what it read. A device that cannot say so is lost, and
// whoever uses it next is told.
void augreg_land(Flight *flight) {
    std::unique_ptr<Flight> landed(flight);
    free(guarded([&] { landed->done.synchronize(); }));
}

// Locks pages for all of CUDA. Returns its code, 0 for success, -1 if there is no CUDA; `text` is what it
// means.
int augreg_lock_pages(void *bytes, size_t len, int device, const char **text) {
    int code = -1;
    char *message = guarded([&] {
        auto lock = runtime<int(void *, size_t, unsigned)>("cudaHostRegister");
        if (!lock) return;
        On on(device);
        code = lock(bytes, len, 1 /* cudaHostRegisterPortable */);
        if (code == 0) return;
        // Or the next who asks for errors would take this one for theirs.
        if (auto forget = runtime<int()>("cudaGetLastError")) forget();
        if (auto describe = runtime<const char *(int)>("cudaGetErrorString")) *text = describe(code);
    });
    free(message);
    return message ? -1 : code;
}

void augreg_unlock_pages(void *bytes, int device) {
    free(guarded([&] {
        auto unlock = runtime<int(void *)>("cudaHostUnregister");
        if (!unlock) return;
        On on(device);
        if (unlock(bytes) == 0) return;
        if (auto forget = runtime<int()>("cudaGetLastError")) forget();
    }));
}

} // extern "C"
