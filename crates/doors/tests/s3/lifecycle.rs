//! Lifecycle configurations: what is taken comes back as it was said, what cannot be meant is refused.

use crate::server::{Call, Server};

const MINIMUM_SIZE: &str = "x-amz-transition-default-minimum-object-size";

fn put(server: &Server, rules: &str) -> Call {
    let xml = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    server.put("/tfstate?lifecycle").body(xml)
}

fn rule(inner: &str) -> String {
    format!("<Rule><ID>r</ID>{inner}<Status>Enabled</Status></Rule>")
}

const EXPIRE: &str = "<Expiration><Days>1</Days></Expiration>";

#[tokio::test]
async fn rules_come_back_as_they_were_said() {
    let server = Server::with_bucket("tfstate").await;
    for inner in [
        "<Filter></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration>",
        "<Prefix>env:/ a&amp;b </Prefix><Status>Disabled</Status><Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>",
        "<Filter><Prefix></Prefix></Filter><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true\
         </ExpiredObjectDeleteMarker></Expiration>",
        "<Filter><Tag><Key>a</Key><Value></Value></Tag></Filter><Status>Enabled</Status><NoncurrentVersionExpiration>\
         <NoncurrentDays>90</NoncurrentDays><NewerNoncurrentVersions>10</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        "<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag>\
         <ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>2</ObjectSizeLessThan></And></Filter>\
         <Status>Enabled</Status><Expiration><Days>1</Days></Expiration>",
        "<Filter><Prefix>a</Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7\
         </DaysAfterInitiation></AbortIncompleteMultipartUpload>",
    ] {
        let rule = format!("<Rule><ID>r</ID>{inner}</Rule>");
        let answer = put(&server, &rule).ok().await;
        assert_eq!(answer.header(MINIMUM_SIZE), "all_storage_classes_128K");
        let get = server.get("/tfstate?lifecycle").ok().await;
        assert!(get.text().contains(&rule), "{} is not {rule}", get.text());
    }
    let other =
        put(&server, &rule(&format!("<Filter/>{EXPIRE}"))).header(MINIMUM_SIZE, "varies_by_storage_class");
    other.ok().await;
    let get = server.get("/tfstate?lifecycle").ok().await;
    assert_eq!(get.header(MINIMUM_SIZE), "varies_by_storage_class");
    assert_eq!(
        server.delete("/tfstate?lifecycle").ok().await.status.as_u16(),
        204
    );
    let gone = server.get("/tfstate?lifecycle");
    gone.refused(404, "NoSuchLifecycleConfiguration").await;
}

#[tokio::test]
async fn a_rule_without_a_name_gets_one() {
    let server = Server::with_bucket("tfstate").await;
    put(
        &server,
        &format!("<Rule><Filter/><Status>Enabled</Status>{EXPIRE}</Rule>"),
    )
    .ok()
    .await;
    let get = server.get("/tfstate?lifecycle").ok().await;
    assert!(!get.element("ID").unwrap().is_empty());
}

// tidy: table
#[tokio::test]
async fn what_cannot_be_meant_is_refused_in_s3s_words() {
    let server = Server::with_bucket("tfstate").await;
    let tag = "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>";
    let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    let marker = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    let cases: Vec<(String, u16, &str, &str)> = vec![
        (String::new(), 400, "MalformedXML", ""),
        (rule(EXPIRE), 400, "MalformedXML", ""),
        (
            rule(&format!("<Filter/><Prefix/>{EXPIRE}")),
            400,
            "MalformedXML",
            "",
        ),
        (
            rule(&format!("<Filter/><Unknown/>{EXPIRE}")),
            400,
            "MalformedXML",
            "",
        ),
        (
            rule(&format!(
                "<Filter><Prefix>a</Prefix><Prefix>b</Prefix></Filter>{EXPIRE}"
            )),
            400,
            "MalformedXML",
            "",
        ),
        (
            rule(&format!("<Filter><And/></Filter>{EXPIRE}")),
            400,
            "MalformedXML",
            "",
        ),
        (rule("<Filter/><Expiration/>"), 400, "MalformedXML", ""),
        (
            rule("<Filter/><Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
            400,
            "MalformedXML",
            "",
        ),
        (
            rule("<Filter/><Expiration><Days>x</Days></Expiration>"),
            400,
            "MalformedXML",
            "",
        ),
        (rule("<Filter/>"), 400, "InvalidRequest", "At least one action"),
        (
            rule("<Filter/><Expiration><Days>0</Days></Expiration>"),
            400,
            "InvalidArgument",
            "must be a positive integer",
        ),
        (
            rule("<Filter/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>"),
            400,
            "InvalidArgument",
            "at midnight GMT",
        ),
        (
            rule(
                "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101\
                  </NewerNoncurrentVersions></NoncurrentVersionExpiration>",
            ),
            400,
            "InvalidArgument",
            "between 1 and 100",
        ),
        (
            rule("<Filter/><NoncurrentVersionExpiration/>"),
            400,
            "MalformedXML",
            "",
        ),
        (
            rule(&format!("{tag}{abort}")),
            400,
            "InvalidRequest",
            "cannot be specified with Tags",
        ),
        (
            rule(&format!("{tag}{marker}")),
            400,
            "InvalidRequest",
            "cannot be specified with Tags",
        ),
        (
            rule(&format!(
                "<Filter><And><ObjectSizeGreaterThan>2</ObjectSizeGreaterThan><ObjectSizeLessThan>2</ObjectSizeLessThan></And></Filter>{EXPIRE}"
            )),
            400,
            "InvalidRequest",
            "ObjectSizeLessThan",
        ),
        (
            rule(&format!("<Filter/>{EXPIRE}")) + &rule(&format!("<Filter/>{EXPIRE}")),
            400,
            "InvalidArgument",
            "Rule ID must be unique",
        ),
        (
            format!(
                "<Rule><ID>{}</ID><Filter/><Status>Enabled</Status>{EXPIRE}</Rule>",
                "x".repeat(256)
            ),
            400,
            "InvalidArgument",
            "ID length should not exceed",
        ),
        (
            format!("<Rule><Filter/><Status>On</Status>{EXPIRE}</Rule>"),
            400,
            "MalformedXML",
            "",
        ),
        (
            rule("<Filter/><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>"),
            501,
            "NotImplemented",
            "storage classes",
        ),
    ];
    for (rules, status, code, words) in cases {
        let refused = put(&server, &rules).refused(status, code).await;
        assert!(refused.text().contains(words), "{rules}: {}", refused.text());
    }
    let gone = server.get("/tfstate?lifecycle");
    gone.refused(404, "NoSuchLifecycleConfiguration").await;
}
