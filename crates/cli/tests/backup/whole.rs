//! What was acknowledged before a backup began is there after it was restored.

use std::{
    fs,
    io::{BufReader, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tidelock_testkit::{Client, Hermetic, Request, read_response, wait_until};

use super::{World, mode, path, state, write};
use crate::common::{Serving, credentials};

const WRITERS: usize = 4;

/// What each writer was told: the version ID of each serial.
type Told = Arc<Vec<Mutex<Vec<String>>>>;

#[test]
fn a_backup_under_writes_restores_all_that_was_acknowledged_before_it() {
    let mut world = World::new();
    let info = r#"{"ID":"held-1","Operation":"OperationTypeApply","Info":"","Who":"ann@host","Version":"1.11.4","Created":"2026-11-21T08:00:00Z","Path":"x"}"#;
    let lock = Request::new("PUT", &format!("{}.tflock", path("locked")), info).header("if-none-match", "*");
    assert_eq!(world.client.send(&lock).status, 200);
    let told: Told = Arc::new((0..WRITERS).map(|_| Mutex::default()).collect());
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            keep_writing(
                world.server.client(),
                writer,
                Arc::clone(&told),
                Arc::clone(&stop),
            )
        })
        .collect();
    wait_until("every writer has written a few times", || {
        told.iter().all(|told| told.lock().unwrap().len() >= 3)
    });
    let before: Vec<Vec<String>> = told.iter().map(|told| told.lock().unwrap().clone()).collect();
    world.backup("all.tar");
    let after: Vec<usize> = told.iter().map(|told| told.lock().unwrap().len()).collect();
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert!(
        (0..WRITERS).any(|writer| after[writer] > before[writer].len()),
        "somebody wrote meanwhile"
    );

    let restored = world.says(&["restore", "all.tar", "--data", "restored"], 0);
    assert!(
        restored.stdout.contains("all as they were written"),
        "{}",
        restored.text()
    );
    let restored = world.path("restored");
    assert_eq!(mode(&restored), 0o700);
    for name in ["tidelock.db", "root.key", "credentials"] {
        assert_eq!(mode(&restored.join(name)), 0o600, "{name}");
    }
    world.server.kill9();
    all_is_there(&world.hermetic, &restored, &before);
}

fn keep_writing(
    mut client: Client,
    writer: usize,
    told: Told,
    stop: Arc<AtomicBool>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let name = format!("writer-{writer}");
        for serial in 1.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let version = write(&mut client, &name, serial);
            told[writer].lock().unwrap().push(version);
        }
    })
}

fn all_is_there(hermetic: &Hermetic, data: &Path, before: &[Vec<String>]) {
    let serving = Serving::start(hermetic, data);
    let mut client = Client::new(serving.authority(), credentials(data));
    for (writer, versions) in before.iter().enumerate() {
        let name = format!("writer-{writer}");
        for (serial, version) in (1..).zip(versions) {
            let target = format!("{}?versionId={version}", path(&name));
            let read = client.send(&Request::new("GET", &target, ""));
            assert_eq!((read.status, read.text()), (200, state(&name, serial)));
        }
        let current = client.send(&Request::new("GET", &path(&name), "")).json();
        assert!(current["serial"].as_u64().unwrap() >= versions.len() as u64);
    }
    let lock = client.send(&Request::new("GET", &format!("{}.tflock", path("locked")), ""));
    assert!(
        lock.status == 200 && lock.text().contains("held-1"),
        "{}",
        lock.text()
    );
    let write = client.send(
        &Request::new("PUT", &path("locked"), state("locked", 1))
            .header("user-agent", "aws-sdk-go-v2/1.30 ci/8"),
    );
    assert_eq!(write.status, 423, "{}", write.text());
    assert_eq!(serving.stop().0, 0);
}

#[test]
fn a_backup_is_for_its_owner_and_replaces_nothing_unless_told() {
    let mut world = World::new();
    world.write("a", 1);
    let made = world.of_server(&["backup", "b.tar"], 0);
    assert!(made.stdout.contains("root key is not in it"), "{}", made.text());
    assert_eq!(mode(&world.path("b.tar")), 0o600);
    let first = fs::read(world.path("b.tar")).unwrap();
    world.write("a", 2);
    let refused = world.of_server(&["backup", "b.tar"], 2);
    assert!(refused.stderr.contains("--force"), "{}", refused.text());
    assert!(fs::read(world.path("b.tar")).unwrap() == first);
    let _ = world.of_server(&["backup", "b.tar", "--force"], 0);
    assert!(fs::read(world.path("b.tar")).unwrap() != first);
    assert_eq!(world.names(), ["b.tar"]);
}

#[test]
fn standard_output_and_input_carry_a_backup_too() {
    let mut world = World::new();
    world.write("a", 1);
    let data = world.server.data();
    let script = format!(
        "set -o pipefail; {binary} backup - --with-keys --data {data} | {binary} restore - --data piped",
        binary = crate::common::BINARY,
        data = data.display()
    );
    let mut command = world.hermetic.command("bash", &world.path(""));
    command.args(["-c", &script]);
    let piped = tidelock_testkit::Output::of(command).succeeded();
    assert!(piped.stdout.contains("1 body"), "{}", piped.text());
    assert!(world.path("piped/tidelock.db").exists());
}

#[test]
fn ordinary_tools_open_a_backup_and_check_it() {
    let mut world = World::new();
    world.write("a", 1);
    world.backup("k.tar");
    let mut command = world.hermetic.command("bash", &world.path(""));
    command.args([
        "-c",
        "mkdir x && tar xf k.tar -C x && cd x && sha256sum -c keys.sha256 backup.sha256",
    ]);
    let checked = tidelock_testkit::Output::of(command).succeeded();
    for name in ["root.key", "credentials", "backup.json", "tidelock.db"] {
        assert!(
            checked.stdout.contains(&format!("{name}: OK")),
            "{}",
            checked.text()
        );
        assert_eq!(mode(&world.path("x").join(name)), 0o600);
    }
}

#[test]
fn who_asks_during_a_backup_is_told_whose_it_is_and_comes_later() {
    let mut world = World::new();
    // More than the sockets between here and the server hold.
    let large = tidelock_testkit::Rng::new(1).text(32_000_000);
    assert_eq!(
        world
            .client
            .send(&Request::new("PUT", "/tfstate/large", large))
            .status,
        200
    );
    let mut slow = TcpStream::connect(world.server.authority()).unwrap();
    let ask = world
        .client
        .basic_bytes(&Request::new("GET", "/admin/backup", ""));
    slow.write_all(&ask).unwrap();
    let mut first = [0; 4];
    std::io::Read::read_exact(&mut slow, &mut first).unwrap();
    assert_eq!(&first, b"HTTP");
    let told = world.of_server(&["backup", "second.tar"], 1);
    let id = &world.server.credentials().access_key_id;
    assert!(
        told.stderr.contains("has been making a backup") && told.stderr.contains(id),
        "{}",
        told.text()
    );
    assert!(world.names().is_empty(), "{:?}", world.names());
    drop(slow);
    wait_until("the first one is given up", || {
        let answer = BufReader::new(TcpStream::connect(world.server.authority()).unwrap());
        let mut answer = answer;
        answer.get_mut().write_all(&ask).unwrap();
        let mut status = [0; 12];
        std::io::Read::read_exact(&mut answer, &mut status).unwrap();
        &status[9..] == b"200"
    });
}

#[test]
fn a_server_of_this_backup_goes_on_where_the_other_stopped() {
    let mut world = World::new();
    world.write("a", 1);
    let root_key = world.server.data().join("root.key");
    let _ = world.of_server(&["backup", "plain.tar"], 0);
    let arguments = [
        "restore",
        "plain.tar",
        "--data",
        "r",
        "--root-key",
        root_key.to_str().unwrap(),
    ];
    let restored = world.says(&arguments, 0);
    assert!(restored.stdout.contains("makes a new one"), "{}", restored.text());
    world.server.kill9();
    let data = world.path("r");
    let serving = Serving::start(&world.hermetic, &data);
    let mut client = Client::new(serving.authority(), credentials(&data));
    write(&mut client, "a", 2);
    let ask = client.basic_bytes(&Request::new("GET", "/admin/backup", ""));
    let mut socket = TcpStream::connect(serving.authority()).unwrap();
    socket.write_all(&ask).unwrap();
    let response = read_response(&mut BufReader::new(socket), false).unwrap();
    assert_eq!(response.header("content-type"), Some("application/x-tar"));
    fs::write(world.path("curl.tar"), &response.body).unwrap();
    let checked = world.json(
        &[
            "verify",
            "--backup",
            "curl.tar",
            "--root-key",
            root_key.to_str().unwrap(),
        ],
        0,
    );
    assert_eq!(checked["checked"], 2);
}
