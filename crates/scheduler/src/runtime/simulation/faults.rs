//! How hostile a schedule is: each kind of fault with its chance, all of it from the seed.

use augreg_spec::random::Stream;

/// Chances of faults, each asked for at the moment named.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// A worker dies, at each of its acts.
    pub(super) die: f64,
    /// It leaves half a line in its journal, when it dies.
    pub(super) tear: f64,
    /// A worker leaves nonsense in its journal, at each step.
    pub(super) damage: f64,
    /// A worker hangs for ever, at each of its acts.
    pub(super) hang: f64,
    /// A message is lost.
    pub(super) lose: f64,
    /// A message comes twice.
    pub(super) repeat: f64,
    /// A message takes long.
    pub(super) dawdle: f64,
    /// A word about work is overtaken by what was said after it.
    pub(super) overtake: f64,
    /// The executor forgets a worker: its end is never told, and it cannot be killed.
    pub(super) forget: f64,
    /// The executor says that a worker is gone, which is not, at each of its acts.
    pub(super) belie: f64,
    /// No worker can be started.
    pub(super) no_start: f64,
    /// A worker turns out to be of another version.
    pub(super) refuse: f64,
    /// The scheduler dies, before and after each write and between any two actions.
    pub(super) crash: f64,
    /// The machine dies with the scheduler.
    pub(super) power: f64,
    /// A worker does not notice that its scheduler is gone until its attempt is over.
    pub(super) oblivious: f64,
    /// A job fails on a bad slot, at each step.
    pub(super) spoil: f64,
}

impl Faults {
    /// The faults of one schedule: a few kinds often, the others never, so that each also meets the
    /// others' absence.
    pub(super) fn draw(draws: &mut Stream) -> Self {
        let mut some = |most: f64| if draws.chance(0.5) { most * draws.unit() } else { 0.0 };
        Self {
            die: some(0.15),
            tear: some(1.0),
            damage: some(0.02),
            hang: some(0.05),
            lose: some(0.1),
            repeat: some(0.2),
            dawdle: some(0.2),
            overtake: some(0.5),
            forget: some(0.1),
            belie: some(0.03),
            no_start: some(0.3),
            refuse: some(0.03),
            crash: some(0.05),
            power: some(0.5),
            oblivious: some(1.0),
            spoil: some(1.0),
        }
    }
}
