//! Two documents side by side: which resource instances and outputs differ, and in which values.

use std::borrow::Cow;

use super::{
    Change, DiffError, Kind, Sensitive,
    document::{Document, Instance, Key},
    path::{self, Step},
    sensitive::Marks,
    values::{Comparison, Object, TooDeep, side_by_side, string},
};

/// The resource instances that differ.
pub(super) fn resources<'a>(
    old: &Document<'a>,
    new: &Document<'a>,
    sensitive: Sensitive,
    room: &mut usize,
) -> Result<Vec<Change>, DiffError> {
    let (old, new) = (old.instances(&new.texts())?, new.instances(&old.texts())?);
    let mut changes = Vec::new();
    for (key, old, new) in side_by_side(&old, &new) {
        let too_deep = |TooDeep| DiffError::TooDeep {
            address: key.address(),
        };
        changes.extend(instance(key, old, new, sensitive, room).map_err(too_deep)?);
    }
    Ok(changes)
}

fn instance<'a>(
    key: &Key<'a>,
    old: Option<&Instance<'a>>,
    new: Option<&Instance<'a>>,
    sensitive: Sensitive,
    room: &mut usize,
) -> Result<Option<Change>, TooDeep> {
    let mut marks = Marks::default();
    for side in [old, new].into_iter().flatten() {
        if let Some(raw) = side.object.get("sensitive_attributes") {
            marks.add(raw);
        }
    }
    let hidden = sensitive == Sensitive::Hide && marks.touch(&[Step::Key("id".into())]);
    let attributes = |side: Option<&Instance<'a>>| side.and_then(Instance::attributes).unwrap_or_default();
    let (before, after) = (attributes(old), attributes(new));
    let id = after.get("id").or_else(|| before.get("id"));
    let id = id
        .filter(|_| !hidden)
        .and_then(|raw| string(raw))
        .map(Cow::into_owned);
    let mut comparison = Comparison::new(marks, sensitive, room);
    let kind = match (old, new) {
        (Some(old), Some(new)) => {
            beside_the_attributes(old, new, &mut comparison)?;
            if old.raw.get() != new.raw.get() {
                comparison.objects(&before, &after)?;
            }
            Kind::Changed
        }
        (Some(_), None) => Kind::Removed,
        (None, _) => Kind::Added,
    };
    let (values, omitted) = (comparison.found, comparison.omitted);
    let differs = kind != Kind::Changed || !values.is_empty() || omitted > 0;
    Ok(differs.then(|| Change {
        address: key.address(),
        deposed: key.deposed.as_ref().map(|key| key.to_string()),
        kind,
        id,
        values,
        omitted,
    }))
}

/// Compares what Terraform notes beside an instance's attributes: `status`, `provider`, `dependencies` and the like.
fn beside_the_attributes<'a>(
    old: &Instance<'a>,
    new: &Instance<'a>,
    comparison: &mut Comparison<'a, '_>,
) -> Result<(), TooDeep> {
    comparison.step(Step::Field("provider".into()), old.provider, new.provider)?;
    for (name, old, new) in side_by_side(&old.object, &new.object) {
        match name.0.as_ref() {
            "attributes" | "attributes_flat" | "index_key" | "deposed" => {}
            // Opaque to everyone but the provider, so nobody can say that there is no secret in it.
            "private" => comparison.sealed(Step::Field(name.0.clone()), old.copied(), new.copied())?,
            _ => comparison.step(Step::Field(name.0.clone()), old.copied(), new.copied())?,
        }
    }
    Ok(())
}

/// The outputs that differ.
pub(super) fn outputs<'a>(
    old: &Document<'a>,
    new: &Document<'a>,
    sensitive: Sensitive,
    room: &mut usize,
) -> Result<Vec<Change>, DiffError> {
    let mut changes = Vec::new();
    for (name, before, after) in side_by_side(&old.outputs, &new.outputs) {
        if before.map(|raw| raw.get()) == after.map(|raw| raw.get()) {
            continue;
        }
        let before = before.map(|raw| old.output(raw)).transpose()?;
        let after = after.map(|raw| new.output(raw)).transpose()?;
        let mut address = "output.".to_owned();
        name.0.chars().for_each(|c| path::push_visible(&mut address, c));
        match output(&address, before, after, sensitive, room) {
            Ok(change) => changes.extend(change),
            Err(TooDeep) => return Err(DiffError::TooDeep { address }),
        }
    }
    Ok(changes)
}

fn output<'a>(
    address: &str,
    old: Option<Object<'a>>,
    new: Option<Object<'a>>,
    sensitive: Sensitive,
    room: &mut usize,
) -> Result<Option<Change>, TooDeep> {
    let kind = match (&old, &new) {
        (Some(_), Some(_)) => Kind::Changed,
        (Some(_), None) => Kind::Removed,
        (None, _) => Kind::Added,
    };
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    // Anything but a plain `false` hides, so that a damaged mark does not show a secret.
    let is_marked = |side: &Object<'_>| side.get("sensitive").is_some_and(|raw| raw.get() != "false");
    let marks = if is_marked(&old) || is_marked(&new) {
        Marks::all()
    } else {
        Marks::default()
    };
    let mut comparison = Comparison::new(marks, sensitive, room);
    comparison.values(old.get("value").copied(), new.get("value").copied())?;
    if kind == Kind::Changed {
        comparison.marks = Marks::default();
        for field in ["sensitive", "type"] {
            comparison.step(
                Step::Field(field.into()),
                old.get(field).copied(),
                new.get(field).copied(),
            )?;
        }
    }
    let (values, omitted) = (comparison.found, comparison.omitted);
    let differs = kind != Kind::Changed || !values.is_empty() || omitted > 0;
    Ok(differs.then(|| Change {
        address: address.to_owned(),
        deposed: None,
        kind,
        id: None,
        values,
        omitted,
    }))
}
