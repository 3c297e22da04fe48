//! The kernels against libtorch's own operations, and what must hold of any mask.

use augreg_kernels::{
    AdamWUpdate, Dropping, SgdUpdate, adamw, add_dropped, dropped, gelu_dropped, peak_bytes,
    reset_peak_bytes, sgd,
};
use tch::{Device, Kind, Tensor};

const CPU: Device = Device::Cpu;

fn random(shape: &[i64], kind: Kind) -> Tensor {
    Tensor::randn(shape, (Kind::Float, CPU)).to_kind(kind)
}

/// The largest difference, relative to the largest value.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
    let largest = |x: &Tensor| x.abs().max().double_value(&[]);
    largest(&(&a - &b)) / largest(&b).max(1e-30)
}

/// The gradient of `Σ weight · output` with respect to `input`.
fn gradient(output: &Tensor, weight: &Tensor, input: &Tensor) -> Tensor {
    let loss = (output.to_kind(Kind::Float) * weight).sum(Kind::Float);
    Tensor::run_backward(&[loss], &[input], false, false).remove(0)
}

#[test]
fn masks_keep_the_asked_share_and_the_expectation_and_differ_by_key() {
    let ones = Tensor::ones([1001, 997], (Kind::Float, CPU));
    for p in [0.1, 0.5, 0.9] {
        let masked = dropped(&ones, Dropping::new(p, 7, 0));
        let kept = masked.gt(0.0).to_kind(Kind::Float).mean(Kind::Double).double_value(&[]);
        assert!((kept - (1.0 - p)).abs() < 0.002, "kept {kept} at {p}");
        let mean = masked.mean(Kind::Double).double_value(&[]);
        assert!((mean - 1.0).abs() < 0.01, "mean {mean} at {p}");
        // Neither neighbours nor rows nor keys are alike beyond chance.
        let centred = masked.gt(0.0).to_kind(Kind::Double) - kept;
        let other = dropped(&ones, Dropping::new(p, 8, 0)).gt(0.0).to_kind(Kind::Double) - kept;
        let variance = kept * (1.0 - kept);
        for (name, product) in [
            ("neighbour", centred.narrow(1, 1, 996) * centred.narrow(1, 0, 996)),
            ("row", centred.narrow(0, 1, 1000) * centred.narrow(0, 0, 1000)),
            ("key", &centred * &other),
        ] {
            let correlation = product.mean(Kind::Double).double_value(&[]) / variance;
            assert!(correlation.abs() < 0.005, "{name}: {correlation} at {p}");
        }
    }
    assert_eq!(dropped(&ones, Dropping::nothing()), ones);
}

#[test]
fn a_piece_of_a_tensor_is_masked_as_the_whole_even_where_indices_outgrow_32_bits() {
    for first in [0, (1 << 32) - 40_000] {
        let x = random(&[100, 1024], Kind::Float);
        let whole = dropped(&x, Dropping::new(0.3, 5, first));
        let tail = dropped(&x.narrow(0, 37, 63), Dropping::new(0.3, 5, first + 37 * 1024));
        assert_eq!(whole.narrow(0, 37, 63), tail);
    }
}

#[test]
fn threads_and_gradients_meet_the_same_mask() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let x = random(&[64, 4096], kind).set_requires_grad(true);
        let ones = Tensor::ones([64, 4096], (Kind::Float, CPU));
        tch::set_num_threads(2);
        let drop = Dropping::new(0.2, 11, 3);
        let masked = dropped(&x, drop);
        let back = gradient(&masked, &ones, &x);
        tch::set_num_threads(1);
        assert_eq!(masked.detach(), dropped(&x.detach(), drop));
        assert_eq!(back, dropped(&ones.to_kind(kind), drop));
    }
}

#[test]
fn a_branch_is_added_through_its_mask_and_the_factors_of_its_examples() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let x = random(&[6, 33, 7], Kind::Float).set_requires_grad(true);
        let branch = random(&[6, 33, 7], kind).set_requires_grad(true);
        let factors = Tensor::from_slice(&[1.0f32, 0.0, 2.0, 1.0, 0.5, 1.0]);
        let drop = Dropping::new(0.25, 3, 99);
        let mask = dropped(&Tensor::ones([6, 33, 7], (Kind::Float, CPU)), drop);
        let mask = mask * factors.view([6, 1, 1]);
        let out = add_dropped(&x, &branch, Some(&factors), drop);
        let off = distance(&out, &(&x + branch.to_kind(Kind::Float) * &mask));
        assert!(off < 1e-6, "{off}");

        let weight = random(&[6, 33, 7], Kind::Float);
        let loss = (out * &weight).sum(Kind::Float);
        let back = Tensor::run_backward(&[loss], &[&x, &branch], false, false);
        assert_eq!(back[0], weight);
        assert_eq!(back[1].kind(), kind);
        assert!(distance(&back[1], &(weight * mask).to_kind(kind)) < 1e-6);

        let plain = add_dropped(&x, &branch, None, Dropping::nothing());
        assert_eq!(plain, &x + branch.to_kind(Kind::Float));
    }
}

#[test]
fn gelu_is_that_of_libtorch_as_is_its_slope() {
    let x = Tensor::cat(
        &[
            random(&[5000], Kind::Float) * 3.0,
            Tensor::linspace(-60.0, 60.0, 5000, (Kind::Float, CPU)),
            Tensor::from_slice(&[0.0f32, -0.0, 1e-20]),
        ],
        0,
    );
    for (kind, exact) in [(Kind::Float, 2e-6), (Kind::BFloat16, 8e-3)] {
        let ours = x.to_kind(kind).set_requires_grad(true);
        let theirs = x.to_kind(kind).to_kind(Kind::Double).set_requires_grad(true);
        let (a, b) = (gelu_dropped(&ours, Dropping::nothing()), theirs.gelu("tanh"));
        let worst = |a: &Tensor, b: &Tensor| {
            let difference = (a.to_kind(Kind::Double) - b).abs();
            (difference / (b.abs() + 1.0)).max().double_value(&[])
        };
        let off = worst(&a, &b);
        assert!(off < exact, "{kind:?}: {off}");
        let weight = Tensor::ones_like(&x);
        let slopes = [gradient(&a, &weight, &ours), gradient(&b, &weight, &theirs)];
        let off = worst(&slopes[0], &slopes[1]);
        assert!(off < exact, "{kind:?}: slope {off}");
    }
    let drop = Dropping::new(0.1, 21, 0);
    let joined = gelu_dropped(&x, drop);
    assert!(distance(&joined, &dropped(&gelu_dropped(&x, Dropping::nothing()), drop)) < 1e-6);
    let far = Tensor::from_slice(&[-1e30f32, 1e30, f32::INFINITY, f32::NAN]);
    let far = Vec::<f32>::try_from(gelu_dropped(&far, Dropping::nothing())).expect("floats");
    assert!(
        far[0].abs() < 1e-6 && far[1..3] == [1e30, f32::INFINITY] && far[3].is_nan(),
        "{far:?}"
    );
}

#[test]
fn adamw_and_sgd_do_what_their_formulas_say_and_see_what_is_not_finite() {
    let n = 40_001;
    for kind in [Kind::Float, Kind::BFloat16] {
        let (p, g) = (random(&[n], Kind::Float), random(&[n], Kind::Float));
        let (m, v) = (random(&[n], kind), random(&[n], Kind::Float).square());
        let wide = |x: &Tensor| x.to_kind(Kind::Double);
        let scaled = wide(&g) * 0.5;
        let first = wide(&m) * 0.9 + &scaled * 0.1;
        let second = wide(&v) * 0.999 + scaled.square() * 0.001;
        let change = &first * 1.7 / ((&second * 1.3).sqrt() + 1e-8);
        let expected = wide(&p) * 0.99 - change * 0.01;
        let update = AdamWUpdate {
            gradient_scale: 0.5,
            rate: 0.01,
            decay: 0.99,
            beta1: 0.9,
            share1: 0.1,
            beta2: 0.999,
            share2: 0.001,
            first: 1.7,
            second: 1.3,
            eps: 1e-8,
        };
        assert!(adamw(&p, &g, &m, &v, update));
        assert!(distance(&p, &expected) < 1e-6);
        assert!(distance(&v, &second) < 1e-6);
        assert!(distance(&m, &first.to_kind(kind)) < if kind == Kind::Float { 1e-6 } else { 5e-3 });

        let (p, m) = (random(&[n], Kind::Float), random(&[n], kind));
        let moved = wide(&m) * 0.9 + wide(&g) * 0.5;
        let expected = wide(&p) - &moved * 0.03;
        let update = SgdUpdate { gradient_scale: 0.5, rate: 0.03, momentum: 0.9 };
        assert!(sgd(&p, &g, &m, update));
        assert!(distance(&p, &expected) < 1e-6);

        let _ = g.narrow(0, 12_345, 1).fill_(f64::NAN);
        assert!(!sgd(&p, &g, &m, update), "a parameter is no number now");
    }
}

#[test]
fn memory_of_a_device_that_is_not_there_is_unknown_and_breaks_nothing() {
    assert_eq!(peak_bytes(CPU), None);
    let nobody_has_this = Device::Cuda(97);
    reset_peak_bytes(nobody_has_this);
    assert_eq!(peak_bytes(nobody_has_this), None);
}
