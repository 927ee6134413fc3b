use kiro_domain::{Note, NoteBody};

use crate::{Store, StoreError};

impl Store {
    /// The notes of a task, oldest first.
    pub async fn notes(&self, task: i64) -> Result<Vec<Note>, StoreError> {
        self.task(task).await?;
        let notes = sqlx::query_as!(Note, "SELECT id, body, created_at FROM notes WHERE task_id = ? ORDER BY id", task)
            .fetch_all(&self.pool)
            .await?;
        Ok(notes)
    }

    pub async fn add_note(&self, task: i64, body: &NoteBody) -> Result<Note, StoreError> {
        self.task(task).await?;
        let body = body.as_str();
        let note = sqlx::query_as!(
            Note,
            r#"INSERT INTO notes (task_id, body) VALUES (?, ?)
               RETURNING id AS "id!", body AS "body!", created_at AS "created_at!""#,
            task,
            body
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(note)
    }

    /// How many notes the whole board has.
    pub async fn note_count(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar!("SELECT count(*) FROM notes").fetch_one(&self.pool).await?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_domain::Title;

    #[tokio::test]
    async fn notes_belong_to_a_task() {
        let store = Store::in_memory().await.unwrap();
        let task = store.add_task(&Title::new("plan the trip").unwrap()).await.unwrap();
        let body = NoteBody::new("by train").unwrap();
        let note = store.add_note(task.id, &body).await.unwrap();

        assert_eq!(store.notes(task.id).await.unwrap(), [note]);
        assert_eq!(store.note_count().await.unwrap(), 1);
        assert!(matches!(store.add_note(99, &body).await, Err(StoreError::NoTask(99))));
    }
}
