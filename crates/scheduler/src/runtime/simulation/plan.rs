//! What befalls the world of a schedule from outside, and when: all of it drawn beforehand.

use super::disk::Disk;
use super::person::{Deed, Scope};
use super::world::{Happening, World};

/// Decides what befalls the world from outside.
pub(super) fn plan(world: &mut World) {
    world.time.at(0, Happening::Boot);
    let hostile = world.between(5_000, 60_000);
    world.time.at(hostile, Happening::Calm);
    let until = hostile as u32;
    if world.draws.chance(0.35) {
        fill_disk(world, until);
    }
    if world.draws.chance(0.1) {
        // Soon, when brief attempts end one after the other.
        let at = world.between(1000, until.min(10_000));
        world.time.at(at, Happening::PowerCut);
    }
    for _ in 0..world.draws.below(4) {
        let (at, deed) = (world.between(0, until), Deed::draw(&mut world.draws));
        world.time.at(at, Happening::Person(deed));
    }
    for _ in 0..world.draws.below(3) {
        let at = world.between(0, until);
        let most = if world.draws.chance(0.2) { 2_000_000_000 } else { 300_000 };
        let by = i64::from(world.draws.below(2 * most)) - i64::from(most);
        world.time.at(at, Happening::Leap { by });
    }
    for _ in 0..world.draws.below(3) {
        let at = world.between(0, until);
        let slots: Vec<_> = world.setting.slots.keys().copied().collect();
        let slot = slots[world.draws.below(slots.len() as u32) as usize];
        world.time.at(at, Happening::Recycle { slot });
    }
    for what in Scope::EVERY {
        if world.draws.chance(0.15) {
            let at = world.between(0, until);
            let lasts = world.between(100, 40_000);
            let drain = world.draws.chance(0.5);
            world.time.at(at, Happening::Person(Deed::Pause { what, drain }));
            world.time.at(at + lasts, Happening::Person(Deed::GoOn { what }));
        }
    }
}

/// Lets the disk run out of room for a while: at once or after a warning, to the last byte or not.
fn fill_disk(world: &mut World, until: u32) {
    let mut at = world.between(0, until);
    let warned = world.draws.chance(0.6);
    if warned {
        world.time.at(at, Happening::Room(Disk::Short));
        at += world.between(100, 10_000);
    }
    if !warned || world.draws.chance(0.7) {
        let none = if world.draws.chance(0.3) { Disk::Quota } else { Disk::Full };
        world.time.at(at, Happening::Room(none));
        at += world.between(100, 60_000);
    }
    if world.draws.chance(0.3) {
        world.time.at(at, Happening::Room(Disk::Short));
        at += world.between(100, 10_000);
    }
    world.time.at(at, Happening::Room(Disk::Roomy));
}
