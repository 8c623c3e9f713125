//! The forms of well-known tokens, and where one is in a text.
//!
//! Sources: what each issuer documents of its tokens' prefixes and lengths, as in GitHub's "Supported secret scanning patterns".

use std::ops::Range;

use base64::{Engine, prelude::BASE64_STANDARD};

/// A token in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) name: &'static str,
    pub(super) at: Range<usize>,
}

/// A token by what it begins with and how many characters of which kind follow.
struct Form {
    name: &'static str,
    prefix: &'static str,
    of: fn(u8) -> bool,
    least: usize,
    /// The same as `least` where the length is fixed.
    most: usize,
}

const fn form(
    name: &'static str,
    prefix: &'static str,
    of: fn(u8) -> bool,
    least: usize,
    most: usize,
) -> Form {
    Form {
        name,
        prefix,
        of,
        least,
        most,
    }
}

const MANY: usize = 4_096;

// tidy: table
#[rustfmt::skip]
static FORMS: [Form; 59] = [
    form("AWS access key ID", "AKIA", is_base32, 16, 16),
    form("AWS access key ID", "ASIA", is_base32, 16, 16),
    form("AWS Bedrock API key", "ABSK", is_base64, 109, 269),
    form("Age secret key", "AGE-SECRET-KEY-1", is_base32_or_digit, 58, 58),
    form("Anthropic API key", "sk-ant-", is_word, 40, MANY),
    form("Atlassian API token", "ATATT3", is_word_or_equals, 150, 300),
    form("Cloudflare origin CA key", "v1.0-", is_hex_or_dash, 160, 200),
    form("crates.io token", "cio", is_alphanumeric, 32, 32),
    form("Databricks token", "dapi", is_hex_or_dash, 32, 34),
    form("DigitalOcean token", "dop_v1_", is_hex, 64, 64),
    form("DigitalOcean token", "doo_v1_", is_hex, 64, 64),
    form("DigitalOcean token", "dor_v1_", is_hex, 64, 64),
    form("Docker Hub token", "dckr_pat_", is_word, 20, 64),
    form("Docker Hub token", "dckr_oat_", is_word, 20, 64),
    form("Doppler token", "dp.pt.", is_alphanumeric, 40, 48),
    form("Doppler token", "dp.st.", is_word_or_dot, 40, 80),
    form("Fly.io token", "fo1_", is_word, 43, 43),
    form("GitHub token", "ghp_", is_alphanumeric, 36, 251),
    form("GitHub token", "gho_", is_alphanumeric, 36, 251),
    form("GitHub token", "ghu_", is_alphanumeric, 36, 251),
    form("GitHub token", "ghs_", is_alphanumeric, 36, 251),
    form("GitHub token", "ghr_", is_alphanumeric, 36, 251),
    form("GitHub token", "github_pat_", is_word, 60, 251),
    form("GitLab token", "glpat-", is_word_or_dot, 20, 320),
    form("GitLab token", "gldt-", is_word, 20, 320),
    form("GitLab token", "glrt-", is_word_or_dot, 20, 320),
    form("GitLab token", "glcbt-", is_word, 20, 320),
    form("GitLab token", "glptt-", is_word, 40, 320),
    form("GitLab token", "glagent-", is_word, 50, 320),
    form("Google API key", "AIza", is_word, 35, 35),
    form("Google OAuth client secret", "GOCSPX-", is_word, 28, 28),
    form("Google OAuth token", "ya29.", is_word_or_dot, 40, MANY),
    form("Grafana token", "glsa_", is_word, 41, 41),
    form("Grafana token", "glc_", is_base64, 40, 400),
    form("Hugging Face token", "hf_", is_alphanumeric, 34, 40),
    form("Linear API key", "lin_api_", is_alphanumeric, 40, 40),
    form("Mailgun API key", "key-", is_hex, 32, 32),
    form("New Relic API key", "NRAK-", is_alphanumeric, 27, 27),
    form("npm token", "npm_", is_alphanumeric, 36, 36),
    form("OpenAI API key", "sk-proj-", is_word, 40, MANY),
    form("OpenAI API key", "sk-svcacct-", is_word, 40, MANY),
    form("PlanetScale token", "pscale_", is_word_or_dot, 32, 80),
    form("Postman API key", "PMAK-", is_hex_or_dash, 59, 59),
    form("Pulumi token", "pul-", is_hex, 40, 40),
    form("PyPI token", "pypi-", is_word, 85, MANY),
    form("RubyGems API key", "rubygems_", is_hex, 48, 48),
    form("SendGrid API key", "SG.", is_word_or_dot, 66, 66),
    form("Shopify token", "shpat_", is_hex, 32, 32),
    form("Shopify token", "shpss_", is_hex, 32, 32),
    form("Slack token", "xapp-", is_word, 40, 200),
    form("Slack token", "xoxb-", is_word, 24, 200),
    form("Slack token", "xoxe-", is_word, 24, 400),
    form("Slack token", "xoxp-", is_word, 24, 200),
    form("Stripe key", "rk_live_", is_alphanumeric, 16, 250),
    form("Stripe key", "sk_live_", is_alphanumeric, 16, 250),
    form("Stripe webhook secret", "whsec_", is_base64, 24, 80),
    form("Tailscale key", "tskey-", is_word, 20, 100),
    form("Vault token", "hvb.", is_word, 90, 400),
    form("Vault token", "hvs.", is_word, 24, 400),
];

/// Slack's incoming webhooks: whoever knows the URL may post.
pub(super) const SLACK_WEBHOOK: &str = "https://hooks.slack.com/services/";

/// The first token in a text, also in one that is written in base64 as a whole, as machines' user data are.
pub(super) fn in_text(text: &str) -> Option<Hit> {
    let within = |text: &str| all(text).next();
    within(text).or_else(|| {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
        let inner = within(std::str::from_utf8(&bytes).ok()?)?;
        Some(Hit {
            at: 0..text.len(),
            ..inner
        })
    })
}

/// The text with every token in it replaced.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for Hit { name, at } in all(text) {
        masked.push_str(&text[from..at.start]);
        masked.push_str(&format!("({name})"));
        from = at.end;
    }
    masked + &text[from..]
}

/// The tokens in a text, from its beginning.
fn all(text: &str) -> impl Iterator<Item = Hit> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while next < text.len() {
            let at = next;
            next += 1;
            let bytes = text.as_bytes();
            if (at > 0 && is_inside_word(bytes[at - 1])) || !text.is_char_boundary(at) {
                continue;
            }
            if let Some((name, bytes)) = at_beginning(&text[at..]) {
                next = at + bytes;
                return Some(Hit { name, at: at..next });
            }
        }
        None
    })
}

/// The token that a text begins with, and its bytes.
fn at_beginning(text: &str) -> Option<(&'static str, usize)> {
    let first = text.as_bytes().first()?;
    match first {
        b'-' => private_key(text),
        b'e' => web_token(text),
        _ => None,
    }
    .or_else(|| FORMS.iter().find_map(|form| form.at_beginning(text)))
    .or_else(|| slack_webhook(text))
    .or_else(|| password_in_url(text))
    .or_else(|| by_its_middle(text))
}

impl Form {
    fn at_beginning(&self, text: &str) -> Option<(&'static str, usize)> {
        let rest = text.strip_prefix(self.prefix)?;
        let run = run(rest, self.of);
        let is_it = (self.least..=self.most).contains(&run) && !is_placeholder(&rest[..run]);
        is_it.then_some((self.name, self.prefix.len() + run))
    }
}

/// `-----BEGIN RSA PRIVATE KEY-----` and the like.
fn private_key(text: &str) -> Option<(&'static str, usize)> {
    let label = text.strip_prefix("-----BEGIN ")?;
    let (label, _) = label.split_once("-----").filter(|(label, _)| label.len() <= 40)?;
    let is_private = label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK");
    let end = text.find(&format!("-----END {label}-----")).unwrap_or(text.len());
    is_private.then_some(("private key", end))
}

/// A JSON Web Token: three parts in base64url, of which the first two are objects.
fn web_token(text: &str) -> Option<(&'static str, usize)> {
    let run = run(text, is_word_or_dot);
    let mut parts = text[..run].splitn(3, '.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let is_it = header.starts_with("eyJ") && claims.starts_with("eyJ") && signature.len() >= 20;
    is_it.then_some(("JSON Web Token", run))
}

fn slack_webhook(text: &str) -> Option<(&'static str, usize)> {
    let rest = text.strip_prefix(SLACK_WEBHOOK)?;
    let run = run(rest, |byte| is_alphanumeric(byte) || byte == b'/');
    (run >= 40).then_some(("Slack webhook", SLACK_WEBHOOK.len() + run))
}

/// `scheme://user:password@host`.
fn password_in_url(text: &str) -> Option<(&'static str, usize)> {
    let scheme = run(text, |byte| is_alphanumeric(byte) || b"+-.".contains(&byte));
    let rest = text[scheme..].strip_prefix("://").filter(|_| scheme > 0)?;
    let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'`<>\\".contains(c));
    let (user, _) = rest[..end.unwrap_or(rest.len())].rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    let is_stated =
        !password.is_empty() && !is_placeholder(password) && !password.starts_with(['$', '{', '<', '%']);
    is_stated.then_some(("password in a URL", scheme + 3 + user.len()))
}

/// Those that are known by what is in the middle of them.
fn by_its_middle(text: &str) -> Option<(&'static str, usize)> {
    let word = &text[..run(text, |byte| is_word_or_dot(byte) || byte == b'~')];
    // HCP Terraform: `xxxxxxxxxxxxxx.atlasv1.` and 60 or more.
    if word.get(14..23) == Some(".atlasv1.") && word.len() >= 83 {
        return Some(("HCP Terraform token", word.len()));
    }
    // Microsoft Entra: three characters, a digit, `Q~`, and 31 to 34.
    let is_entra = word.get(4..6) == Some("Q~") && word.as_bytes()[3].is_ascii_digit();
    if is_entra && (37..=40).contains(&word.len()) {
        return Some(("Microsoft Entra client secret", word.len()));
    }
    // The keys of Azure's storage accounts: 64 bytes in base64.
    let key = run(text, |byte| is_base64(byte) && byte != b'=');
    let is_storage = key == 86 && text[key..].starts_with("==") && !is_placeholder(&text[..key]);
    is_storage.then_some(("Azure storage or service key", 88))
}

/// Whether nobody would take it for the real thing: `XXXXXXXX`, `EXAMPLE`.
fn is_placeholder(body: &str) -> bool {
    let mut seen = [false; 256];
    body.bytes().for_each(|byte| seen[usize::from(byte)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    different < 3 || (body.len() >= 16 && different < 6) || body.ends_with("EXAMPLE")
}

fn run(text: &str, of: fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| of(*byte)).count()
}

fn is_inside_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_base32(byte: u8) -> bool {
    byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)
}

fn is_base32_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn is_hex_or_dash(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b'-'
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-".contains(&byte)
}

fn is_word_or_dot(byte: u8) -> bool {
    is_word(byte) || byte == b'.'
}

fn is_word_or_equals(byte: u8) -> bool {
    is_word(byte) || byte == b'='
}

/// As standard base64 has it, and its padding.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}
