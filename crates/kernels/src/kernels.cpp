// The loops of loops.h over libtorch's tensors, on its threads, and inside its autograd.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/generated/variable_factories.h>

#include <atomic>

#include "guarded.h"
#include "loops.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::Variable;
using torch::autograd::variable_list;

const Loops &loops() {
    static const Loops chosen = [] {
#ifdef AUGREG_X86
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
            return augreg_loops_avx512();
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return augreg_loops_avx2();
#endif
        return augreg_loops_baseline();
    }();
    return chosen;
}

// Elements a thread takes at least: less is done sooner than a thread is woken.
constexpr int64_t GRAIN = 16384;

template <typename Run> void parallel(int64_t elements, Run run) {
    at::parallel_for(0, elements, GRAIN, run);
}

bf16 *bits(const at::Tensor &tensor) { return reinterpret_cast<bf16 *>(tensor.data_ptr()); }

float *floats(const at::Tensor &tensor) { return tensor.data_ptr<float>(); }

bool is_bf16(const at::Tensor &tensor) { return tensor.scalar_type() == at::kBFloat16; }

struct Drop {
    int64_t key, first, threshold;
    double scale;

    Dropping plain() const {
        return {uint64_t(key), uint64_t(first), uint32_t(threshold), float(scale)};
    }
};

void save(AutogradContext *ctx, const Drop &drop) {
    ctx->saved_data["key"] = drop.key;
    ctx->saved_data["first"] = drop.first;
    ctx->saved_data["threshold"] = drop.threshold;
    ctx->saved_data["scale"] = drop.scale;
}

Dropping saved(AutogradContext *ctx) {
    auto &data = ctx->saved_data;
    Drop drop{data["key"].toInt(), data["first"].toInt(), data["threshold"].toInt(), data["scale"].toDouble()};
    return drop.plain();
}

at::Tensor run_dropped(const at::Tensor &x, Dropping drop) {
    at::Tensor out = at::empty_like(x);
    parallel(x.numel(), [&](int64_t begin, int64_t end) {
        if (is_bf16(x))
            loops().dropped_bf16(bits(out), bits(x), drop, begin, end);
        else
            loops().dropped(floats(out), floats(x), drop, begin, end);
    });
    return out;
}

struct Dropped : Function<Dropped> {
    static Variable forward(AutogradContext *ctx, const Variable &x, const Drop &drop) {
        save(ctx, drop);
        return run_dropped(x.contiguous(), drop.plain());
    }

    static variable_list backward(AutogradContext *ctx, const variable_list &gradients) {
        return {run_dropped(gradients[0].contiguous(), saved(ctx)), Variable()};
    }
};

// A factor for each example, or an undefined tensor. Hidden from autograd, which takes none of these.
struct Factors {
    at::Tensor each;

    Examples of(int64_t elements) const {
        if (!each.defined()) return {nullptr, elements};
        return {floats(each), elements / each.numel()};
    }
};

struct Add : Function<Add> {
    static Variable forward(AutogradContext *ctx, const Variable &x, const Variable &branch,
                            const Factors &factors, const Drop &drop) {
        save(ctx, drop);
        if (factors.each.defined()) ctx->saved_data["factors"] = factors.each;
        ctx->saved_data["bf16"] = is_bf16(branch);
        at::Tensor from = x.contiguous(), other = branch.contiguous();
        at::Tensor out = at::empty_like(from);
        Examples examples = factors.of(from.numel());
        parallel(from.numel(), [&](int64_t begin, int64_t end) {
            if (is_bf16(other))
                loops().add_bf16(floats(out), floats(from), bits(other), drop.plain(), examples, begin, end);
            else
                loops().add(floats(out), floats(from), floats(other), drop.plain(), examples, begin, end);
        });
        return out;
    }

    static variable_list backward(AutogradContext *ctx, const variable_list &gradients) {
        at::Tensor gradient = gradients[0].contiguous();
        bool narrow = ctx->saved_data["bf16"].toBool();
        auto found = ctx->saved_data.find("factors");
        Factors factors{found == ctx->saved_data.end() ? at::Tensor() : found->second.toTensor()};
        at::Tensor out = at::empty(gradient.sizes(), narrow ? at::kBFloat16 : at::kFloat);
        Examples examples = factors.of(gradient.numel());
        Dropping drop = saved(ctx);
        parallel(gradient.numel(), [&](int64_t begin, int64_t end) {
            if (narrow)
                loops().add_back_bf16(bits(out), floats(gradient), drop, examples, begin, end);
            else
                loops().add_back(floats(out), floats(gradient), drop, examples, begin, end);
        });
        return {gradient, out, Variable(), Variable()};
    }
};

struct Gelu : Function<Gelu> {
    static Variable forward(AutogradContext *ctx, const Variable &input, const Drop &drop) {
        save(ctx, drop);
        at::Tensor x = input.contiguous();
        ctx->save_for_backward({x});
        at::Tensor out = at::empty_like(x);
        parallel(x.numel(), [&](int64_t begin, int64_t end) {
            if (is_bf16(x))
                loops().gelu_bf16(bits(out), bits(x), drop.plain(), begin, end);
            else
                loops().gelu(floats(out), floats(x), drop.plain(), begin, end);
        });
        return out;
    }

    static variable_list backward(AutogradContext *ctx, const variable_list &gradients) {
        at::Tensor x = ctx->get_saved_variables()[0], gradient = gradients[0].contiguous();
        at::Tensor out = at::empty_like(x);
        Dropping drop = saved(ctx);
        parallel(x.numel(), [&](int64_t begin, int64_t end) {
            if (is_bf16(x))
                loops().gelu_back_bf16(bits(out), bits(gradient), bits(x), drop, begin, end);
            else
                loops().gelu_back(floats(out), floats(gradient), floats(x), drop, begin, end);
        });
        return {out, Variable()};
    }
};

// Runs an update over all elements; whether all parameters are finite after it.
template <typename Update> bool update(const at::Tensor &parameters, Update run) {
    std::atomic<bool> finite{true};
    parallel(parameters.numel(), [&](int64_t begin, int64_t end) {
        if (!run(begin, end)) finite = false;
    });
    return finite;
}

} // namespace

extern "C" {

char *augreg_dropped(const at::Tensor *x, const Drop *drop, at::Tensor **out) {
    return guarded([&] { *out = new at::Tensor(Dropped::apply(*x, *drop)); });
}

char *augreg_add_dropped(const at::Tensor *x, const at::Tensor *branch, const at::Tensor *factors,
                         const Drop *drop, at::Tensor **out) {
    return guarded([&] {
        Factors each{factors ? *factors : at::Tensor()};
        *out = new at::Tensor(Add::apply(*x, *branch, each, *drop));
    });
}

char *augreg_gelu_dropped(const at::Tensor *x, const Drop *drop, at::Tensor **out) {
    return guarded([&] { *out = new at::Tensor(Gelu::apply(*x, *drop)); });
}

char *augreg_adamw(const at::Tensor *parameters, const at::Tensor *gradient, const at::Tensor *m,
                   const at::Tensor *v, const AdamW *settings, bool *finite) {
    return guarded([&] {
        float *p = floats(*parameters), *g = floats(*gradient), *second = floats(*v);
        *finite = update(*parameters, [&](int64_t begin, int64_t end) {
            if (is_bf16(*m)) return loops().adamw_bf16(p, g, bits(*m), second, *settings, begin, end);
            return loops().adamw(p, g, floats(*m), second, *settings, begin, end);
        });
    });
}

char *augreg_sgd(const at::Tensor *parameters, const at::Tensor *gradient, const at::Tensor *m,
                 const Sgd *settings, bool *finite) {
    return guarded([&] {
        float *p = floats(*parameters), *g = floats(*gradient);
        *finite = update(*parameters, [&](int64_t begin, int64_t end) {
            if (is_bf16(*m)) return loops().sgd_bf16(p, g, bits(*m), *settings, begin, end);
            return loops().sgd(p, g, floats(*m), *settings, begin, end);
        });
    });
}

void augreg_free(char *message) { free(message); }

} // extern "C"
