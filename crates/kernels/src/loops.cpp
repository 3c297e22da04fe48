// See loops.h. Plain loops without calls, so that the compiler makes vectors of them.
#include "loops.h"

#include <cmath>
#include <cstring>

namespace {

inline float wide(float x) { return x; }

inline float wide(bf16 x) {
    uint32_t bits = uint32_t(x) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

template <typename T> inline T narrow(float x);

template <> inline float narrow<float>(float x) { return x; }

// To the nearest, ties to even; what is no number stays none.
template <> inline bf16 narrow<bf16>(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    uint32_t quiet = (bits >> 16) | 0x40;
    return bf16((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

// Two rounds of a bijective mix of 32 bits (lowbias32 of Chris Wellons), with a half of the key before
// each: every draw depends on all of the key and of the index's low 32 bits. The high bits of an index
// are part of the key.
inline uint32_t mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x7feb352dU;
    h ^= h >> 15;
    h *= 0x846ca68bU;
    h ^= h >> 16;
    return h;
}

struct Mask {
    uint32_t low, high, first, threshold;
    float scale;

    // Of elements from index `first + begin` on that have the high 32 bits of their index in common.
    Mask(const Dropping &dropping, uint64_t begin)
        : first(uint32_t(dropping.first + begin)), threshold(dropping.threshold), scale(dropping.scale) {
        uint64_t above = (dropping.first + begin) >> 32;
        low = uint32_t(dropping.key);
        high = uint32_t(dropping.key >> 32) ^ mix(uint32_t(above) + 0x9e3779b9U);
    }

    inline float operator()(uint32_t i) const {
        uint32_t drawn = mix(mix((first + i) ^ low) + high);
        return drawn < threshold ? 0.0f : scale;
    }
};

// Where nothing is dropped, nothing is drawn.
struct Whole {
    float scale;

    inline float operator()(uint32_t) const { return scale; }
};

// Calls `run(mask, from, to)` for stretches within which the high bits of the index do not change.
template <typename Run> inline void masked(const Dropping &dropping, int64_t begin, int64_t end, Run run) {
    if (dropping.threshold == 0) return run(Whole{dropping.scale}, begin, end);
    while (begin < end) {
        uint64_t index = dropping.first + uint64_t(begin);
        uint64_t left = (uint64_t(1) << 32) - (index & 0xffffffffU);
        int64_t to = uint64_t(end - begin) < left ? end : begin + int64_t(left);
        run(Mask(dropping, uint64_t(begin)), begin, to);
        begin = to;
    }
}

template <typename T>
void dropped(T *out, const T *x, Dropping dropping, int64_t begin, int64_t end) {
    masked(dropping, begin, end, [&](auto mask, int64_t from, int64_t to) {
        for (int64_t i = 0; i < to - from; i++)
            out[from + i] = narrow<T>(wide(x[from + i]) * mask(uint32_t(i)));
    });
}

// Calls `run(factor, from, to)` for each example, or once with 1.
template <typename Run> inline void each(Examples examples, int64_t begin, int64_t end, Run run) {
    if (!examples.factors) return run(1.0f, begin, end);
    while (begin < end) {
        int64_t example = begin / examples.elements;
        int64_t to = (example + 1) * examples.elements;
        if (to > end) to = end;
        run(examples.factors[example], begin, to);
        begin = to;
    }
}

template <typename T>
void add(float *out, const float *x, const T *branch, Dropping dropping, Examples examples, int64_t begin,
         int64_t end) {
    each(examples, begin, end, [&](float factor, int64_t begin, int64_t end) {
        masked(dropping, begin, end, [&](auto mask, int64_t from, int64_t to) {
            mask.scale *= factor;
            for (int64_t i = 0; i < to - from; i++)
                out[from + i] = x[from + i] + wide(branch[from + i]) * mask(uint32_t(i));
        });
    });
}

template <typename T>
void add_back(T *out, const float *gradient, Dropping dropping, Examples examples, int64_t begin,
              int64_t end) {
    each(examples, begin, end, [&](float factor, int64_t begin, int64_t end) {
        masked(dropping, begin, end, [&](auto mask, int64_t from, int64_t to) {
            mask.scale *= factor;
            for (int64_t i = 0; i < to - from; i++)
                out[from + i] = narrow<T>(gradient[from + i] * mask(uint32_t(i)));
        });
    });
}

// eˣ for x in [−87, 88], relative error below 2⁻²²: 2ⁿ · p(r) with |r| ≤ ln 2 / 2, p of degree 6.
inline float exp_of(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float shifted = x * 1.44269504088896341f + 12582912.0f; // 1.5 · 2²³: rounds to an integer.
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f; // ln 2 in two parts.
    float p = 1.0f + r * (1.0f + r * (0.5f + r * (0.166666667f + r * (0.0416666667f +
              r * (0.00833333333f + r * 0.00138888889f)))));
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (bits << 23) + 0x3f800000U;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

constexpr float ROOT = 0.7978845608028654f; // √(2/π)
constexpr float CUBE = 0.044715f;

// ½ (1 + tanh u) = 1 / (1 + e^(−2u)), u = √(2/π) (x + 0.044715 x³).
inline float gate(float x) {
    float u = ROOT * (x + CUBE * x * x * x);
    return 1.0f / (1.0f + exp_of(-2.0f * u));
}

template <typename T> void gelu(T *out, const T *in, Dropping dropping, int64_t begin, int64_t end) {
    masked(dropping, begin, end, [&](auto mask, int64_t from, int64_t to) {
        for (int64_t i = 0; i < to - from; i++) {
            float x = wide(in[from + i]);
            out[from + i] = narrow<T>(x * gate(x) * mask(uint32_t(i)));
        }
    });
}

template <typename T>
void gelu_back(T *out, const T *gradient, const T *in, Dropping dropping, int64_t begin, int64_t end) {
    masked(dropping, begin, end, [&](auto mask, int64_t from, int64_t to) {
        for (int64_t i = 0; i < to - from; i++) {
            float x = wide(in[from + i]);
            float s = gate(x);
            float slope = s + x * s * (1.0f - s) * 2.0f * ROOT * (1.0f + 3.0f * CUBE * x * x);
            out[from + i] = narrow<T>(wide(gradient[from + i]) * mask(uint32_t(i)) * slope);
        }
    });
}

inline uint32_t exponent(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits & 0x7f800000U;
}

template <typename T>
bool adamw(float *parameter, const float *gradient, T *m, float *v, AdamW u, int64_t begin, int64_t end) {
    uint32_t worst = 0;
    for (int64_t i = begin; i < end; i++) {
        float g = gradient[i] * u.gradient_scale;
        float first = wide(m[i]) * u.beta1 + g * u.share1;
        float second = v[i] * u.beta2 + g * g * u.share2;
        m[i] = narrow<T>(first);
        v[i] = second;
        float change = first * u.first / (std::sqrt(second * u.second) + u.eps);
        float updated = parameter[i] * u.decay - u.rate * change;
        parameter[i] = updated;
        uint32_t bits = exponent(updated);
        worst = bits > worst ? bits : worst;
    }
    return worst < 0x7f800000U;
}

template <typename T>
bool sgd(float *parameter, const float *gradient, T *m, Sgd u, int64_t begin, int64_t end) {
    uint32_t worst = 0;
    for (int64_t i = begin; i < end; i++) {
        float moved = wide(m[i]) * u.momentum + gradient[i] * u.gradient_scale;
        m[i] = narrow<T>(moved);
        float updated = parameter[i] - u.rate * moved;
        parameter[i] = updated;
        uint32_t bits = exponent(updated);
        worst = bits > worst ? bits : worst;
    }
    return worst < 0x7f800000U;
}

} // namespace

extern "C" Loops AUGREG_NAME() {
    return Loops{
        dropped<float>,   dropped<bf16>,   add<float>,  add<bf16>,   add_back<float>,
        add_back<bf16>,   gelu<float>,     gelu<bf16>,  gelu_back<float>, gelu_back<bf16>,
        adamw<float>,     adamw<bf16>,     sgd<float>,  sgd<bf16>,
    };
}
