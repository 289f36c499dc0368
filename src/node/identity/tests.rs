//! One data directory through its starts.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn open(folder: &Path, node: &str) -> Identity {
    Identity::open(folder, node).unwrap()
}

/// A directory that holds a task of its node.
fn with_task(folder: &Path) {
    fs::create_dir_all(folder.join("drivers/raw_exec/0123")).unwrap();
}

#[test]
fn an_id_is_made_once_and_each_process_has_a_session_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), "n1");
    assert_eq!((&first.follows[..], &first.remarks[..]), (&[][..], &[][..]));
    let second = open(folder.path(), "n1");
    assert_eq!((&second.id, &second.follows[..]), (&first.id, &[first.session.clone()][..]));
    assert_ne!(second.session, first.session);
    for file in [ID_FILE, SESSION_FILE] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    Identity::reset(folder.path()).unwrap();
    let third = open(folder.path(), "n1");
    assert!(third.id != first.id && third.follows.is_empty());
    Identity::reset(&folder.path().join("nowhere")).unwrap();
}

#[test]
fn whoever_was_not_heard_of_in_between_breaks_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut line: Vec<String> = Vec::new();
    for _start in 0..FORMER_SESSIONS + 3 {
        let next = open(folder.path(), "n1");
        assert_eq!(next.follows, line[..line.len().min(FORMER_SESSIONS)]);
        assert_eq!(next.says().follows, next.follows);
        line.insert(0, next.session);
    }
    let renamed = open(folder.path(), "n2");
    assert_eq!(renamed.follows, [""; 0]);
    assert_eq!(open(folder.path(), "n2").follows, [renamed.session], "what came before is another node's");
}

/// What earlier versions wrote is read for ever.
#[test]
fn the_format_is_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let id = r#"{"id":"6f1f5f3e-8a9b-4d2b-9d2e-0c8f6a1b2c3d","made":{"machine":"m","boot":"b","device":1,"inode":0}}"#;
    fs::write(folder.path().join(ID_FILE), id).unwrap();
    let here = Place::of(folder.path());
    let session = format!(
        r#"{{"session":"11111111-2222-4333-8444-555555555555","node":"n1","at":{{"machine":"m","boot":"{}","device":{},"inode":{}}}}}"#,
        here.boot, here.device, here.inode
    );
    fs::write(folder.path().join(SESSION_FILE), session).unwrap();
    let read = open(folder.path(), "n1");
    assert_eq!(read.id, "6f1f5f3e-8a9b-4d2b-9d2e-0c8f6a1b2c3d");
    assert_eq!(read.follows, ["11111111-2222-4333-8444-555555555555"]);
    let place = Place { machine: "m".into(), boot: "b".into(), device: 1, inode: 2 };
    let file = IdFile { id: Uuid::nil(), made: place.clone() };
    insta::assert_snapshot!(serde_json::to_string(&file).unwrap(), @r#"{"id":"00000000-0000-0000-0000-000000000000","made":{"machine":"m","boot":"b","device":1,"inode":2}}"#);
    let file = SessionFile { session: Uuid::nil(), node: "n1".into(), at: place, before: vec![Uuid::nil()] };
    insta::assert_snapshot!(serde_json::to_string(&file).unwrap(), @r#"{"session":"00000000-0000-0000-0000-000000000000","node":"n1","at":{"machine":"m","boot":"b","device":1,"inode":2},"before":["00000000-0000-0000-0000-000000000000"]}"#);
}

#[test]
fn a_copy_and_another_boot_follow_nobody() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = open(one.path(), "n1");
    for file in [ID_FILE, SESSION_FILE] {
        fs::copy(one.path().join(file), other.path().join(file)).unwrap();
    }
    let copy = open(other.path(), "n1");
    assert_eq!((&copy.id, copy.follows), (&first.id, vec![]));
    assert!(copy.remarks[0].contains("is a copy"), "{:?}", copy.remarks);

    let mut file: SessionFile = read(&one.path().join(SESSION_FILE)).unwrap().unwrap();
    file.at.boot = "another".into();
    replace(one.path(), SESSION_FILE, &file).unwrap();
    assert_eq!(open(one.path(), "n1").follows, [""; 0], "the machine was restarted or cloned");

    let mut file: IdFile = read(&one.path().join(ID_FILE)).unwrap().unwrap();
    file.made.machine = "another".into();
    replace(one.path(), ID_FILE, &file).unwrap();
    let clone = open(one.path(), "n1");
    assert!(clone.remarks[0].contains("made on another machine"), "{:?}", clone.remarks);
}

#[test]
fn a_name_changes_only_where_no_task_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), "n1");
    let renamed = open(folder.path(), "n2");
    assert_eq!((&renamed.id, renamed.follows), (&first.id, vec![]), "the same machine, another node");
    with_task(folder.path());
    let refused = Identity::open(folder.path(), "n3").unwrap_err().to_string();
    assert!(refused.contains("belongs to the node \"n2\"") && refused.contains("--node n2"), "{refused}");
    assert_eq!(open(folder.path(), "n2").follows, [renamed.session], "a refusal writes nothing");
    Identity::reset(folder.path()).unwrap();
    assert_ne!(open(folder.path(), "n3").id, first.id);
}

#[test]
fn the_tasks_of_a_node_that_had_no_id_yet_stay_its_own() {
    let folder = tempfile::tempdir().unwrap();
    with_task(folder.path());
    assert_eq!(open(folder.path(), "n1").follows, [""; 0]);
}

#[test]
fn a_damaged_id_is_set_aside() {
    for damage in ["", "{", "\0\0\0", r#"{"id":"no uuid"}"#] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(ID_FILE), damage).unwrap();
        fs::write(folder.path().join(SESSION_FILE), damage).unwrap();
        let healed = open(folder.path(), "n1");
        assert!(healed.remarks[0].contains("could not be read"), "{:?}", healed.remarks);
        assert_eq!(fs::read_to_string(folder.path().join("node-id.damaged")).unwrap(), damage);
        assert_eq!(open(folder.path(), "n1").id, healed.id, "the new one is kept");
    }
}

/// A full disk and a read-only one look the same from here: nothing new can be written.
#[test]
fn an_id_that_cannot_be_kept_serves_this_process() {
    let folder = tempfile::tempdir().unwrap();
    for name in [ID_FILE, SESSION_FILE] {
        fs::create_dir(folder.path().join(format!("{name}.new"))).unwrap();
    }
    let (first, second) = (open(folder.path(), "n1"), open(folder.path(), "n1"));
    assert!(first.remarks[0].contains("could not be kept"), "{:?}", first.remarks);
    assert!(first.id != second.id && first.session != second.session && second.follows.is_empty());
}

#[test]
fn where_nothing_can_be_written_any_more_the_session_that_is_kept_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), "n1");
    let kept = open(folder.path(), "n1");
    fs::create_dir(folder.path().join("session.new")).unwrap();
    for _start in 0..2 {
        let again = open(folder.path(), "n1");
        assert_eq!(
            (&again.id, &again.session, &again.follows[..]),
            (&kept.id, &kept.session, &[first.session.clone()][..])
        );
        assert!(again.counted > 1_000_000_000_000, "its beats are later than those before");
    }
}
