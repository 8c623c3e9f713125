//! A door to a service in memory, and requests to it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tidelock_core::{Caller, Time};
use tidelock_doors::{DoorBody, dynamodb};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Service, World};

#[derive(Default)]
pub(crate) struct FakeWorld {
    pub(crate) now: AtomicI64,
    drawn: AtomicU64,
}

impl World for FakeWorld {
    fn now(&self) -> Time {
        Time(self.now.fetch_add(1, Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 16] {
        u128::from(self.drawn.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes()
    }
}

pub(crate) struct Door {
    pub(crate) service: Service,
    pub(crate) engine: Arc<MemoryEngine>,
    pub(crate) world: Arc<FakeWorld>,
    pub(crate) caller: Caller,
}

impl Door {
    pub(crate) fn new() -> Door {
        let world = Arc::new(FakeWorld::default());
        let caller = Caller {
            principal: "arn:aws:iam::123456789012:user/ann".to_owned(),
            ..Caller::default()
        };
        let engine = Arc::new(MemoryEngine::new());
        Door {
            engine: engine.clone(),
            service: Service::new(
                engine,
                world.clone(),
                tidelock_service::RootKey::new(&[1; 32]).into(),
            ),
            world,
            caller,
        }
    }

    /// A door with Terraform's lock table `locks`.
    pub(crate) async fn with_lock_table() -> Door {
        let door = Door::new();
        door.ok("CreateTable", table("locks", &[("LockID", "S")])).await;
        door
    }

    /// A door with a table `notes` of hash key `h` (S) and range key `r` (N).
    pub(crate) async fn with_notes() -> Door {
        let door = Door::new();
        door.ok("CreateTable", table("notes", &[("h", "S"), ("r", "N")]))
            .await;
        door
    }

    pub(crate) async fn send(&self, operation: &str, body: impl Into<Bytes>) -> Response<DoorBody> {
        dynamodb::as_operator(&self.service, &self.caller, operation, None, body.into()).await
    }

    pub(crate) async fn call(&self, operation: &str, body: &Json) -> (u16, Json) {
        let response = self.send(operation, body.to_string()).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// The answer to a request that must succeed.
    pub(crate) async fn ok(&self, operation: &str, body: Json) -> Json {
        let (status, answer) = self.call(operation, &body).await;
        assert_eq!(status, 200, "{operation} {body}: {answer}");
        answer
    }

    /// The error's bare code and message for a request that must be refused with status 400.
    pub(crate) async fn refused(&self, operation: &str, body: Json) -> (String, String) {
        let (status, answer) = self.call(operation, &body).await;
        assert_eq!(status, 400, "{operation} {body}: {answer}");
        let code = answer["__type"].as_str().unwrap().split_once('#').unwrap().1;
        let message = answer["message"]
            .as_str()
            .or(answer["Message"].as_str())
            .unwrap_or_default();
        (code.to_owned(), message.to_owned())
    }

    /// The message of a ValidationException.
    pub(crate) async fn invalid(&self, operation: &str, body: Json) -> String {
        let (code, message) = self.refused(operation, body).await;
        assert_eq!(code, "ValidationException", "{message}");
        message
    }
}

/// A CreateTable request.
pub(crate) fn table(name: &str, keys: &[(&str, &str)]) -> Json {
    let kinds = ["HASH", "RANGE"];
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": keys
            .iter()
            .map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind}))
            .collect::<Vec<_>>(),
        "KeySchema": keys
            .iter()
            .zip(kinds)
            .map(|((name, _), kind)| json!({"AttributeName": name, "KeyType": kind}))
            .collect::<Vec<_>>(),
    })
}
