//! Refused state writes: finding them, dropping them. How one is made current after all stands in `restore`.

use tidelock_core::{Address, decide::Discard};

use crate::{Error, OperatorError, RefusedWrite, Service, rows, turn::TURNS};

impl Service {
    /// One of the refused state writes of an address; [`Service::read_all`] has its bytes.
    ///
    /// # Errors
    /// [`OperatorError::NoSuchWrite`].
    pub async fn refused_write(&self, address: &Address, id: u64) -> Result<RefusedWrite, OperatorError> {
        let (record, _) = self.load(address).await?;
        let row = rows::quarantined(address, id);
        let kept = record.quarantined.iter().any(|kept| kept.id == id);
        let entry = match kept {
            true => self.engine.get(&row).await.map_err(Error::from)?,
            false => None,
        };
        let Some(entry) = entry else {
            let address = address.clone();
            return Err(OperatorError::NoSuchWrite { address, id });
        };
        Ok(rows::decode(&row, &entry.value)?)
    }

    /// Drops a refused write for good.
    ///
    /// # Errors
    /// [`OperatorError::NoSuchWrite`].
    pub async fn discard(&self, address: &Address, id: u64) -> Result<(), OperatorError> {
        for _ in TURNS {
            let mut turn = self.turn(address).await?;
            if !turn.decide(&Discard { id }, self) {
                let address = address.clone();
                return Err(OperatorError::NoSuchWrite { address, id });
            }
            self.drop_refused(&mut turn, id).await?;
            if turn.commit(self).await? {
                return Ok(());
            }
        }
        Err(Error::Busy(address.to_string()).into())
    }
}
