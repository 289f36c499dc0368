//! How much disk an allocation may hold, and when it holds too much.
//!
//! Its `ephemeral_disk` is for what its tasks keep in their folders. Output that rotates as the job says has room of
//! its own, since a task that only talks does nothing wrong: what lies beside it in the folder of logs beyond that
//! counts like everything else.

use schemas::group::Group;

/// What an allocation was seen to hold on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// In the folder of its logs.
    pub logs_bytes: u64,
    /// In all other folders that lie on the disk.
    pub other_bytes: u64,
}

/// What an allocation may hold on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// What its job asked for.
    pub size_mb: u64,
    /// What its output may need besides, when every file of both streams is full.
    pub logs_mb: u64,
}

const MB: u64 = 1024 * 1024;

impl DiskRoom {
    /// The room of an allocation of this group.
    pub fn of(group: &Group) -> DiskRoom {
        let logs = group.tasks.iter().map(|task| &task.logs).filter(|logs| !logs.disabled);
        let logs_mb = logs.map(|logs| 2 * u64::from(logs.max_files) * u64::from(logs.max_file_size)).sum();
        DiskRoom { size_mb: group.ephemeral_disk.size, logs_mb }
    }

    /// What its job asked for, in bytes.
    pub fn size_bytes(self) -> u64 {
        self.size_mb.saturating_mul(MB)
    }

    /// Whoever holds more than this holds too much: nobody need count further.
    pub fn most_bytes(self) -> u64 {
        self.size_mb.saturating_add(self.logs_mb).saturating_mul(MB)
    }

    /// How much of what it holds counts against `ephemeral_disk`.
    pub fn counted_bytes(self, held: DiskUse) -> u64 {
        let logs = held.logs_bytes.saturating_sub(self.logs_mb.saturating_mul(MB));
        held.other_bytes.saturating_add(logs)
    }

    /// How many MB it holds, if that is too much.
    pub(crate) fn exceeded_mb(self, held: DiskUse) -> Option<u64> {
        let counted = self.counted_bytes(held);
        (counted > self.size_bytes()).then(|| counted.div_ceil(MB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_has_room_of_its_own_and_no_more() {
        let room = DiskRoom { size_mb: 20, logs_mb: 4 };
        let table = [
            ((0, 0), None),
            ((4 * MB, 20 * MB), None),
            ((0, 20 * MB + 1), Some(21)),
            ((4 * MB, 20 * MB + 1), Some(21)),
            ((5 * MB, 19 * MB), None),
            ((5 * MB, 19 * MB + 1), Some(21)),
            ((400 * MB, 0), Some(396)),
        ];
        for ((logs_bytes, other_bytes), expected) in table {
            let held = DiskUse { logs_bytes, other_bytes };
            assert_eq!(room.exceeded_mb(held), expected, "{held:?}");
        }
        let held = DiskUse { logs_bytes: 1, other_bytes: room.most_bytes() };
        assert!(room.exceeded_mb(held).is_some(), "who counts no further has counted enough");
    }
}
