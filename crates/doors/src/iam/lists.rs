//! What is told of many things, a page at a time.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tidelock_core::{iam::Tags, limits::IAM_PAGE_MAX};

use super::{Ask, show};
use crate::{
    aws_common::error::AwsError,
    query::{Form, Xml, invalid},
};

type Told = Result<Xml, AwsError>;

/// Things in a page, unless the client says how many (AWS's own).
const PAGE: usize = 100;

/// One page of `items`, which come in the order of their keys: those behind the marker, as many as are asked for.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    marker: Option<String>,
}

impl<T> Page<T> {
    pub(super) fn of<'k>(
        form: &Form,
        items: impl IntoIterator<Item = (&'k str, T)>,
    ) -> Result<Page<T>, AwsError> {
        let behind = form.get("Marker").map(opened).transpose()?;
        let count = count(form)?;
        let mut rest = items
            .into_iter()
            .skip_while(|(key, _)| behind.as_deref().is_some_and(|behind| *key <= behind));
        let mut page = Page {
            items: Vec::new(),
            marker: None,
        };
        let mut last = "";
        for (key, item) in rest.by_ref().take(count) {
            last = key;
            page.items.push(item);
        }
        if rest.next().is_some() {
            page.marker = Some(URL_SAFE_NO_PAD.encode(last));
        }
        Ok(page)
    }

    /// Whether there is more behind it, and how to ask for that.
    pub(super) fn end(&self, xml: &mut Xml) {
        xml.leaf(
            "IsTruncated",
            if self.marker.is_some() { "true" } else { "false" },
        );
        xml.maybe("Marker", self.marker.as_deref());
    }
}

fn opened(marker: &str) -> Result<String, AwsError> {
    let key = URL_SAFE_NO_PAD.decode(marker).ok();
    let key = key.and_then(|key| String::from_utf8(key).ok());
    key.ok_or_else(|| invalid(format!("Invalid Marker: {marker}")))
}

fn count(form: &Form) -> Result<usize, AwsError> {
    let Some(text) = form.get("MaxItems") else {
        return Ok(PAGE);
    };
    let count = text
        .parse()
        .ok()
        .filter(|count| (1..=IAM_PAGE_MAX).contains(count));
    count.ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy constraint: Member must have value \
             between 1 and {IAM_PAGE_MAX}"
        ))
    })
}

/// Whether a path is below what is asked for.
pub(super) fn is_under(form: &Form, path: &str) -> bool {
    form.get("PathPrefix")
        .is_none_or(|prefix| path.starts_with(prefix))
}

pub(super) fn users(ask: &Ask<'_>) -> Told {
    let users = ask.own()?.users.iter();
    let users = users.filter(|(_, user)| is_under(&ask.form, &user.path));
    let page = Page::of(&ask.form, users.map(|(key, user)| (key.as_str(), user)))?;
    let mut xml = Xml::default();
    xml.members("Users", &page.items, |xml, user| {
        show::user(xml, ask.account, user)
    });
    page.end(&mut xml);
    Ok(xml)
}

pub(super) fn roles(ask: &Ask<'_>) -> Told {
    let roles = ask.own()?.roles.iter();
    let roles = roles.filter(|(_, role)| is_under(&ask.form, &role.path));
    let page = Page::of(&ask.form, roles.map(|(key, role)| (key.as_str(), role)))?;
    let mut xml = Xml::default();
    xml.members("Roles", &page.items, |xml, role| {
        show::role(xml, ask.account, role)
    });
    page.end(&mut xml);
    Ok(xml)
}

pub(super) fn providers(ask: &Ask<'_>) -> Told {
    let mut xml = Xml::default();
    let providers = ask.own()?.providers.values();
    xml.members("OpenIDConnectProviderList", providers, |xml, provider| {
        xml.leaf("Arn", &provider.arn(ask.account));
    });
    Ok(xml)
}

pub(super) fn user_policies(ask: &Ask<'_>) -> Told {
    names(ask, ask.user()?.inline.keys())
}

pub(super) fn role_policies(ask: &Ask<'_>) -> Told {
    names(ask, ask.role()?.inline.keys())
}

fn names<'a>(ask: &Ask<'_>, names: impl Iterator<Item = &'a String>) -> Told {
    let page = Page::of(&ask.form, names.map(|name| (name.as_str(), name)))?;
    let mut xml = Xml::default();
    xml.node("PolicyNames", |xml| {
        for name in &page.items {
            xml.leaf("member", name);
        }
    });
    page.end(&mut xml);
    Ok(xml)
}

pub(super) fn attached_user_policies(ask: &Ask<'_>) -> Told {
    attached(ask, &ask.user()?.attached)
}

pub(super) fn attached_role_policies(ask: &Ask<'_>) -> Told {
    attached(ask, &ask.role()?.attached)
}

fn attached(ask: &Ask<'_>, arns: &[String]) -> Told {
    let mut arns: Vec<_> = arns.iter().map(String::as_str).collect();
    arns.sort_unstable();
    let named = |arn: &str| {
        let resource = arn.split_once(":policy").map_or("/", |(_, resource)| resource);
        let (path, name) = resource.rsplit_once('/').unwrap_or(("", resource));
        (format!("{path}/"), name.to_owned())
    };
    let under = arns.into_iter().filter(|arn| is_under(&ask.form, &named(arn).0));
    let page = Page::of(&ask.form, under.map(|arn| (arn, arn)))?;
    let mut xml = Xml::default();
    xml.members("AttachedPolicies", &page.items, |xml, arn| {
        xml.leaf("PolicyName", &named(arn).1);
        xml.leaf("PolicyArn", arn);
    });
    page.end(&mut xml);
    Ok(xml)
}

pub(super) fn user_tags(ask: &Ask<'_>) -> Told {
    tags(ask, &ask.user()?.tags)
}

pub(super) fn role_tags(ask: &Ask<'_>) -> Told {
    tags(ask, &ask.role()?.tags)
}

pub(super) fn policy_tags(ask: &Ask<'_>) -> Told {
    tags(ask, &ask.policy()?.tags)
}

pub(super) fn provider_tags(ask: &Ask<'_>) -> Told {
    tags(ask, &ask.provider()?.tags)
}

fn tags(ask: &Ask<'_>, tags: &Tags) -> Told {
    let page = Page::of(&ask.form, tags.iter().map(|tag| (tag.0.as_str(), tag)))?;
    let mut xml = Xml::default();
    xml.members("Tags", &page.items, |xml, (key, value)| {
        xml.leaf("Key", key);
        xml.leaf("Value", value);
    });
    page.end(&mut xml);
    Ok(xml)
}

/// A list of things of which there are none here.
pub(super) fn none(name: &str) -> Xml {
    let mut xml = Xml::default();
    xml.node(name, |_| {});
    xml.leaf("IsTruncated", "false");
    xml
}

pub(super) fn none_of_user(ask: &Ask<'_>, name: &str) -> Told {
    ask.user()?;
    Ok(none(name))
}

pub(super) fn none_of_role(ask: &Ask<'_>, name: &str) -> Told {
    ask.role()?;
    Ok(none(name))
}
