//! PutItem, DeleteItem and UpdateItem as pure decisions: from the item as it is to the item as it will be.

use super::{
    error::{Error, invalid},
    expression::{Condition, Placeholders, Update},
    key::KeySchema,
    request::Request,
    value::{Item, Value, check_item_size, item_size_bytes},
};

/// One conditional write of one item.
#[derive(Debug)]
pub(crate) struct Write {
    /// The key attributes.
    pub(crate) key: Item,
    /// What to do.
    pub(crate) action: Action,
    condition: Option<Condition>,
    returns: Returns,
    /// Whether a failed condition is answered with the item.
    returns_on_failure: bool,
}

/// What a write does.
#[derive(Debug)]
pub(crate) enum Action {
    Put(Item),
    Delete,
    Update(Update),
}

/// `ReturnValues`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returns {
    None,
    AllOld,
    UpdatedOld,
    AllNew,
    UpdatedNew,
}

/// What a write comes to.
#[derive(Debug, PartialEq)]
pub(crate) struct Decision {
    /// The item from now on; `None` when there is none.
    pub(crate) next: Option<Item>,
    /// The `Attributes` of the answer.
    pub(crate) attributes: Option<Item>,
}

const RETURN_VALUES: [&str; 5] = ["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"];

impl Write {
    /// Reads PutItem.
    pub(crate) fn put(request: &Request, schema: &KeySchema) -> Result<Write, Error> {
        let (item, condition) = enveloped(|| {
            let placeholders = request.placeholders(&["ConditionExpression"])?;
            let item = request.item("Item")?;
            Ok((item, last_condition(request, &placeholders)?))
        })?;
        let write = Write::unconditional_put(item, schema)?;
        Write { condition, ..write }.returning(request, &[Returns::None, Returns::AllOld])
    }

    /// A put without any condition, as in BatchWriteItem.
    pub(crate) fn unconditional_put(item: Item, schema: &KeySchema) -> Result<Write, Error> {
        schema.check_item(&item)?;
        check_item_size(&item, "Item size has exceeded the maximum allowed size")?;
        Ok(Write::new(schema.key_of(&item), Action::Put(item)))
    }

    /// Reads DeleteItem.
    pub(crate) fn delete(request: &Request, schema: &KeySchema) -> Result<Write, Error> {
        let (key, condition) = enveloped(|| {
            let placeholders = request.placeholders(&["ConditionExpression"])?;
            let key = request.item("Key")?;
            Ok((key, last_condition(request, &placeholders)?))
        })?;
        let write = Write::unconditional_delete(key, schema)?;
        Write { condition, ..write }.returning(request, &[Returns::None, Returns::AllOld])
    }

    /// A delete without any condition, as in BatchWriteItem.
    pub(crate) fn unconditional_delete(key: Item, schema: &KeySchema) -> Result<Write, Error> {
        schema.check_key(&key)?;
        Ok(Write::new(key, Action::Delete))
    }

    /// Reads UpdateItem.
    pub(crate) fn update(request: &Request, schema: &KeySchema) -> Result<Write, Error> {
        let (key, update, condition) = enveloped(|| {
            let placeholders = request.placeholders(&["UpdateExpression", "ConditionExpression"])?;
            let key = request.item("Key")?;
            let update = match request.text("UpdateExpression")? {
                Some(text) => Update::parse(text, &placeholders)?,
                None => Update::default(),
            };
            Ok((key, update, last_condition(request, &placeholders)?))
        })?;
        schema.check_key(&key)?;
        if let Some(path) = update
            .paths()
            .into_iter()
            .find(|path| schema.contains(&path.attribute))
        {
            return invalid(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                path.attribute
            ));
        }
        let write = Write::new(key, Action::Update(update));
        Write { condition, ..write }.returning(
            request,
            &[
                Returns::None,
                Returns::AllOld,
                Returns::UpdatedOld,
                Returns::AllNew,
                Returns::UpdatedNew,
            ],
        )
    }

    fn new(key: Item, action: Action) -> Write {
        Write {
            key,
            action,
            condition: None,
            returns: Returns::None,
            returns_on_failure: false,
        }
    }

    fn returning(mut self, request: &Request, allowed: &[Returns]) -> Result<Write, Error> {
        self.returns = match request.one_of("ReturnValues", &RETURN_VALUES)? {
            None | Some("NONE") => Returns::None,
            Some("ALL_OLD") => Returns::AllOld,
            Some("UPDATED_OLD") => Returns::UpdatedOld,
            Some("ALL_NEW") => Returns::AllNew,
            Some(_) => Returns::UpdatedNew,
        };
        if !allowed.contains(&self.returns) {
            return invalid("1 validation error detected: ReturnValues can only be ALL_OLD or NONE");
        }
        let on_failure = request.one_of("ReturnValuesOnConditionCheckFailure", &["ALL_OLD", "NONE"])?;
        self.returns_on_failure = on_failure == Some("ALL_OLD");
        Ok(self)
    }

    /// Whether it is done whatever stands there.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.condition.is_none()
    }

    /// The error for a condition that does not hold for `current`.
    pub(crate) fn failed(&self, current: Option<&Item>) -> Error {
        let shown = current.filter(|_| self.returns_on_failure);
        Error::ConditionalCheckFailed(shown.cloned().map(Box::new))
    }

    /// Checks the condition against the item as it is.
    pub(crate) fn check(&self, current: Option<&Item>) -> Result<(), Error> {
        let absent = Item::new();
        match &self.condition {
            Some(condition) if !condition.holds(current.unwrap_or(&absent)) => Err(self.failed(current)),
            _ => Ok(()),
        }
    }

    /// The texts that the condition compares with.
    pub(crate) fn texts(&self) -> Vec<&str> {
        let literals = self.condition.as_ref().map_or_else(Vec::new, Condition::literals);
        literals
            .into_iter()
            .filter_map(|literal| match literal {
                Value::S(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What the write makes of the item.
    pub(crate) fn decide(&self, current: Option<&Item>) -> Result<Decision, Error> {
        self.check(current)?;
        let next = match &self.action {
            Action::Put(item) => Some(item.clone()),
            Action::Delete => None,
            Action::Update(update) => Some(update.apply(current.unwrap_or(&self.key))?),
        };
        let attributes = self.attributes(current, next.as_ref());
        Ok(Decision { next, attributes })
    }

    /// How large it is, as far as the request tells.
    pub(crate) fn bytes(&self) -> usize {
        match &self.action {
            Action::Put(item) => item_size_bytes(item),
            Action::Delete | Action::Update(_) => item_size_bytes(&self.key),
        }
    }

    fn attributes(&self, current: Option<&Item>, next: Option<&Item>) -> Option<Item> {
        let written = |item: &Item| match &self.action {
            Action::Update(update) => update.touched(item),
            Action::Put(_) | Action::Delete => item.clone(),
        };
        match self.returns {
            Returns::None => None,
            Returns::AllOld => current.cloned(),
            Returns::AllNew => next.cloned(),
            Returns::UpdatedOld => current.map(written).filter(|item| !item.is_empty()),
            Returns::UpdatedNew => next.map(written).filter(|item| !item.is_empty()),
        }
    }
}

/// Reads the condition, which is the last expression of every write.
fn last_condition(request: &Request, placeholders: &Placeholders) -> Result<Option<Condition>, Error> {
    let condition = request.condition("ConditionExpression", placeholders)?;
    placeholders.check_all_used()?;
    Ok(condition)
}

/// DynamoDB counts what it finds wrong in a write before it looks at the table: there is always one error.
fn enveloped<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    const COUNT: &str = "1 validation error detected: ";
    read().map_err(|error| match error {
        Error::Validation(message) if !message.starts_with(COUNT) => {
            Error::Validation(format!("{COUNT}{message}"))
        }
        other => other,
    })
}
