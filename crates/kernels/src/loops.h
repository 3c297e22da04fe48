// Element-wise loops over plain memory. Compiled once for each kind of CPU, see build.rs; which one
// runs is chosen in kernels.cpp. Threads are the caller's: each loop works on [begin, end).
#pragma once

#include <cstdint>

// Which elements are dropped: element i is, if a hash of (key, i) is below `threshold` · 2⁻³².
// Nothing is stored: the backward pass asks again.
struct Dropping {
    uint64_t key;
    uint64_t first;     // Index of the tensor's first element.
    uint32_t threshold; // 0 drops nothing.
    float scale;        // Of what is kept.
};

// A factor for each example, or none; an example has `elements` elements.
struct Examples {
    const float *factors;
    int64_t elements;
};

// One update of AdamW. `first` and `second` are the factors of bias correction, 1 / (1 − βᵗ).
struct AdamW {
    float gradient_scale;
    float rate;
    float decay; // What is left of a parameter: 1 − rate · weight decay.
    float beta1;
    float share1; // Of the gradient: 1 − β₁, not from the rounded β₁.
    float beta2;
    float share2;
    float first;
    float second;
    float eps;
};

// Momentum: m ← momentum · m + g, θ ← θ − rate · m.
struct Sgd {
    float gradient_scale;
    float rate;
    float momentum;
};

typedef uint16_t bf16;

struct Loops {
    // out = x · mask
    void (*dropped)(float *out, const float *x, Dropping, int64_t begin, int64_t end);
    void (*dropped_bf16)(bf16 *out, const bf16 *x, Dropping, int64_t begin, int64_t end);
    // out = x + branch · mask · factor
    void (*add)(float *out, const float *x, const float *branch, Dropping, Examples, int64_t, int64_t);
    void (*add_bf16)(float *out, const float *x, const bf16 *branch, Dropping, Examples, int64_t, int64_t);
    // branch's gradient = gradient · mask · factor
    void (*add_back)(float *out, const float *gradient, Dropping, Examples, int64_t, int64_t);
    void (*add_back_bf16)(bf16 *out, const float *gradient, Dropping, Examples, int64_t, int64_t);
    // out = gelu(x) · mask, in the tanh form
    void (*gelu)(float *out, const float *x, Dropping, int64_t, int64_t);
    void (*gelu_bf16)(bf16 *out, const bf16 *x, Dropping, int64_t, int64_t);
    // x's gradient = gradient · mask · gelu'(x)
    void (*gelu_back)(float *out, const float *gradient, const float *x, Dropping, int64_t, int64_t);
    void (*gelu_back_bf16)(bf16 *out, const bf16 *gradient, const bf16 *x, Dropping, int64_t, int64_t);
    // Whether all parameters are finite after the update.
    bool (*adamw)(float *parameter, const float *gradient, float *m, float *v, AdamW, int64_t, int64_t);
    bool (*adamw_bf16)(float *parameter, const float *gradient, bf16 *m, float *v, AdamW, int64_t, int64_t);
    bool (*sgd)(float *parameter, const float *gradient, float *m, Sgd, int64_t, int64_t);
    bool (*sgd_bf16)(float *parameter, const float *gradient, bf16 *m, Sgd, int64_t, int64_t);
};

extern "C" Loops augreg_loops_baseline();
#ifdef AUGREG_X86
extern "C" Loops augreg_loops_avx2();
extern "C" Loops augreg_loops_avx512();
#endif
