// What the allocator of a device has handed out.
#include <c10/core/CachingDeviceAllocator.h>

#include "guarded.h"

extern "C" {

// The most bytes that tensors on a CUDA device have held together since that was asked to begin anew, which
// `anew` asks for.
char *augreg_peak_bytes(int device, int anew, int64_t *peak) {
    return guarded([&] {
        auto index = c10::DeviceIndex(device);
        auto *allocator = c10::getDeviceAllocator(c10::DeviceType::CUDA);
        if (anew) allocator->resetPeakStats(index);
        auto aggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
        *peak = allocator->getDeviceStats(index).allocated_bytes[aggregate].peak;
    });
}

} // extern "C"
