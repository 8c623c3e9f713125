//! The work that is measured: what Terraform does to lock, to unlock and to keep a state, and nothing around it.

use anyhow::{Result, ensure};
use aws_lc_rs::digest;
use serde_json::json;
use tidelock_testkit::{BUCKET, Client, Request, Response, Rng, TABLE};

use crate::servers::Door;

/// One client's own address, which nobody else locks or writes.
pub(crate) struct Worker {
    client: Client,
    token: Option<String>,
    door: Door,
    key: String,
    rng: Rng,
}

impl Worker {
    /// Worker `number`; the numbers of one run must differ.
    pub(crate) fn new(client: Client, token: Option<String>, door: Door, number: u64) -> Self {
        Self {
            client,
            token,
            door,
            key: format!("bench/{number}/terraform.tfstate"),
            rng: Rng::new(number),
        }
    }

    /// Acquires, reads back and releases one lock, as stock Terraform does with each of the two.
    pub(crate) fn lock_cycle(&mut self) -> Result<()> {
        let id = self.rng.uuid();
        let path = format!("{BUCKET}/{}", self.key);
        let info = json!({
            "ID": id, "Operation": "OperationTypeApply", "Info": "", "Who": "bench@localhost",
            "Version": "1.11.4", "Created": "2026-01-01T00:00:00.000000000Z", "Path": path,
        })
        .to_string();
        match self.door {
            Door::S3 => self.lock_file_cycle(&info),
            Door::DynamoDb => self.lock_item_cycle(&path, &info),
        }
    }

    fn lock_file_cycle(&mut self, info: &str) -> Result<()> {
        let target = format!("/{BUCKET}/{}.tflock", self.key);
        let put = Request::new("PUT", &target, info).header("if-none-match", "*");
        self.expect(&put, 200)?;
        let read = self.expect(&Request::new("GET", &target, ""), 200)?;
        ensure!(
            read.body == info.as_bytes(),
            "the lock file reads back as {}",
            read.text()
        );
        self.expect(&Request::new("DELETE", &target, ""), 204)?;
        Ok(())
    }

    fn lock_item_cycle(&mut self, path: &str, info: &str) -> Result<()> {
        let key = json!({"LockID": {"S": path}});
        let put = json!({
            "TableName": TABLE, "Item": {"LockID": {"S": path}, "Info": {"S": info}},
            "ConditionExpression": "attribute_not_exists(LockID)",
        });
        self.expect(&Request::dynamodb("PutItem", put.to_string()), 200)?;
        let get = json!({
            "TableName": TABLE, "Key": key, "ConsistentRead": true, "ProjectionExpression": "LockID, Info",
        });
        let read = self
            .expect(&Request::dynamodb("GetItem", get.to_string()), 200)?
            .json();
        ensure!(
            read["Item"]["Info"]["S"] == info,
            "the lock item reads back as {read}"
        );
        let delete = json!({"TableName": TABLE, "Key": key});
        self.expect(&Request::dynamodb("DeleteItem", delete.to_string()), 200)?;
        Ok(())
    }

    /// The request that writes a state, with its hash reckoned beforehand: hashing is the client's cost, not the server's.
    pub(crate) fn state_write(&self, body: &str) -> Request {
        let hash = hex::encode(digest::digest(&digest::SHA256, body.as_bytes()));
        Request::new("PUT", &self.state_target(), body).header("x-amz-content-sha256", &hash)
    }

    /// The request that reads the state.
    pub(crate) fn state_read(&self) -> Request {
        Request::new("GET", &self.state_target(), "")
    }

    fn state_target(&self) -> String {
        format!("/{BUCKET}/{}", self.key)
    }

    /// Sends, and demands this status.
    pub(crate) fn expect(&mut self, request: &Request, status: u16) -> Result<Response> {
        let answer = match &self.token {
            Some(token) => self
                .client
                .try_send(&request.clone().header("x-amz-security-token", token))?,
            None => self.client.try_send(request)?,
        };
        let told = || answer.text().chars().take(300).collect::<String>();
        ensure!(
            answer.status == status,
            "{} {}: {} {}",
            request.method,
            request.target,
            answer.status,
            told()
        );
        Ok(answer)
    }
}

/// A state of about `bytes` bytes, made of resources with attributes of their own, as Terraform writes it.
pub(crate) fn state(bytes: usize, serial: u64) -> String {
    let mut rng = Rng::new(serial);
    let mut resources = Vec::new();
    let mut length = 0;
    while length < bytes {
        let name = format!("r{}", resources.len());
        let resource = json!({
            "mode": "managed", "type": "aws_instance", "name": name,
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
            "instances": [{"schema_version": 1, "attributes": {
                "id": format!("i-{}", rng.text(17)), "arn": format!("arn:aws:ec2:us-east-1:123456789012:instance/{name}"),
                "ami": "ami-0123456789abcdef0", "user_data": rng.text(400), "tags": {"Name": name, "env": "prod"},
            }}],
        })
        .to_string();
        length += resource.len() + 1;
        resources.push(resource);
    }
    format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"6a3e1c9e-2f0d-4b7e-9f5a-0c1d2e3f4a5b","outputs":{{}},"resources":[{}]}}"#,
        resources.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_state_is_json_of_the_size_that_was_asked_for() {
        let text = state(100_000, 7);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["serial"], 7);
        assert!((100_000..102_000).contains(&text.len()), "{}", text.len());
        assert_ne!(text, state(100_000, 8));
    }
}
