//! What an operator does with `tidelock` while people work with Terraform.

use tidelock_testkit::{
    Backend::{self, Http},
    BackendConfig,
};

use crate::{
    THING, World, with_each_backend,
    zombie::{next, paused, resume, seeded},
};

with_each_backend! {
    an_unlock_lets_the_next_in_line_go_on_and_what_the_former_holder_did_can_be_adopted
    a_freeze_keeps_terraform_out_until_it_is_thawed
}

fn an_unlock_lets_the_next_in_line_go_on_and_what_the_former_holder_did_can_be_adopted(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = seeded(&world, backend);
    let address = format!("tfstate/{}", config.key);
    let (late, paused) = paused(&world, &config, Some("job/late"));
    let next = next(&world, &config, Some("job/next"));
    let waiting = next.start(&["apply", "-auto-approve", "-lock-timeout=60s"]);
    world.wait_for_line(&config, &[true]);

    let id = world.holder(&config)["ID"].as_str().unwrap().to_owned();
    let _ = world.tidelock(&["unlock", &address, &id, "--force"]).succeeded();
    let _ = waiting.finish().succeeded();
    let _ = resume(&late, paused);
    assert_eq!(next.ok(&["output", "-raw", "thing"]).stdout, "of the next");

    let _ = world
        .tidelock(&["rescue", "adopt", &address, "--force"])
        .succeeded();
    assert_eq!(next.ok(&["output", "-raw", "thing"]).stdout, "of the late");
    assert!(
        late.ok(&["plan", "-detailed-exitcode"])
            .stdout
            .contains("No changes")
    );
    assert!(
        next.ok(&["apply", "-auto-approve"])
            .stdout
            .contains("1 changed, 1 destroyed")
    );
    assert!(world.is_unlocked(&config));
}

fn a_freeze_keeps_terraform_out_until_it_is_thawed(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "frozen.tfstate");
    let terraform = world.project("a", &config, THING);
    let freeze = ["freeze", "tfstate/frozen.tfstate", "--reason", "ask ann"];
    let _ = world.tidelock(&freeze).succeeded();

    let refused = terraform.run(&["apply", "-auto-approve"]).failed().flowing();
    // Terraform's http backend shows the ID of the holder and else its own info.
    if backend != Http {
        for word in ["Operation: freeze", "Info: ask ann"] {
            assert!(refused.contains(word), "{word:?} is not in:\n{refused}");
        }
    }
    let info = world.holder(&config);
    let id = info["ID"].as_str().unwrap();
    assert!(refused.contains(id), "{id} is not in:\n{refused}");
    let unlock = terraform.run(&["force-unlock", "-force", id]).failed();
    assert_eq!(world.holder(&config)["ID"], id, "{}", unlock.text());
    let unlocked = ["apply", "-auto-approve", "-lock=false"];
    let refused = terraform.run(&unlocked).failed().flowing();
    assert!(refused.contains("errored.tfstate"), "{refused}");

    let waiting = terraform.start(&["apply", "-auto-approve", "-lock-timeout=60s"]);
    world.wait_for_line(&config, &[true]);
    let _ = world.tidelock(&["thaw", "tfstate/frozen.tfstate"]).succeeded();
    assert!(waiting.finish().succeeded().stdout.contains("1 added"));
    assert!(world.is_unlocked(&config));
}
