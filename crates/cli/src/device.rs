//! What jobs take on a device that is only known by its data sheet.

use augreg_spec::{Accelerator, Precision, UTILISATION, nearest};

use crate::words::quantity;

/// The device of that name.
pub(crate) fn named(name: &str) -> Result<&'static Accelerator, String> {
    let known = || Accelerator::names().collect::<Vec<_>>().join(", ");
    Accelerator::named(name).ok_or_else(|| {
        nearest(name, Accelerator::names()).map_or_else(
            || format!("no such device is known; known are {}", known()),
            |near| format!("no such device is known, did you mean `{near}`?"),
        )
    })
}

/// Jobs, each by its operations and precision, in days of a device, and how that is reckoned.
pub(crate) fn text(device: &Accelerator, jobs: impl Iterator<Item = (f64, Precision)>) -> String {
    let mut flops = [(Precision::Bf16, 0.0), (Precision::Fp32, 0.0)];
    for (more, precision) in jobs {
        let of = flops.iter_mut().filter(|(of, _)| *of == precision);
        of.for_each(|(_, flops)| *flops += more);
    }
    let computed = || flops.iter().filter(|(_, flops)| *flops > 0.0);
    let seconds: f64 = computed().map(|(in_, flops)| flops / device.speed(*in_)).sum();
    let speeds = computed().map(|(in_, _)| {
        let (peak, name) = (quantity(device.peak(*in_), "FLOP/s"), in_.name());
        format!("{:.0} % of {peak} for {name}; ", 100.0 * UTILISATION)
    });
    let (days, speeds) = (seconds / 86_400.0, speeds.collect::<String>());
    format!("device   {days:.2} days of one {} ({speeds}{})\n", device.name, device.source)
}
