use kiro_domain::{Task, TaskState, Title};

use crate::{Store, StoreError};

/// A task as the database has it.
struct TaskRow {
    id: i64,
    title: String,
    state: String,
    created_at: String,
    done_at: Option<String>,
}

impl TryFrom<TaskRow> for Task {
    type Error = StoreError;

    fn try_from(row: TaskRow) -> Result<Self, Self::Error> {
        Ok(Self { id: row.id, title: row.title, state: row.state.parse()?, created_at: row.created_at, done_at: row.done_at })
    }
}

impl Store {
    /// All tasks, or those in one state, oldest first.
    pub async fn tasks(&self, state: Option<TaskState>) -> Result<Vec<Task>, StoreError> {
        let rows = match state {
            None => {
                sqlx::query_as!(TaskRow, "SELECT id, title, state, created_at, done_at FROM tasks ORDER BY id")
                    .fetch_all(&self.pool)
                    .await?
            }
            Some(state) => {
                let state = state.as_str();
                sqlx::query_as!(
                    TaskRow,
                    "SELECT id, title, state, created_at, done_at FROM tasks WHERE state = ? ORDER BY id",
                    state
                )
                .fetch_all(&self.pool)
                .await?
            }
        };
        rows.into_iter().map(Task::try_from).collect()
    }

    pub async fn task(&self, id: i64) -> Result<Task, StoreError> {
        sqlx::query_as!(TaskRow, "SELECT id, title, state, created_at, done_at FROM tasks WHERE id = ?", id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(StoreError::NoTask(id))?
            .try_into()
    }

    pub async fn add_task(&self, title: &Title) -> Result<Task, StoreError> {
        let title = title.as_str();
        let id = sqlx::query!("INSERT INTO tasks (title) VALUES (?)", title).execute(&self.pool).await?.last_insert_rowid();
        self.task(id).await
    }

    /// Moves a task to another column; the time it was done is kept while it stays done.
    pub async fn move_task(&self, id: i64, state: TaskState) -> Result<Task, StoreError> {
        let state = state.as_str();
        let moved = sqlx::query!(
            "UPDATE tasks
             SET state = ?1,
                 done_at = CASE WHEN ?1 = 'done'
                     THEN coalesce(done_at, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
                 END
             WHERE id = ?2",
            state,
            id
        )
        .execute(&self.pool)
        .await?
        .rows_affected();
        if moved == 0 {
            return Err(StoreError::NoTask(id));
        }
        self.task(id).await
    }

    /// How many tasks each column holds, in board order.
    pub async fn counts(&self) -> Result<Vec<(TaskState, i64)>, StoreError> {
        let rows = sqlx::query!("SELECT state, count(*) AS tasks FROM tasks GROUP BY state").fetch_all(&self.pool).await?;
        Ok(TaskState::ALL
            .into_iter()
            .map(|state| {
                let row = rows.iter().find(|row| row.state == state.as_str());
                (state, row.map_or(0, |row| row.tasks))
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(text: &str) -> Title {
        Title::new(text).unwrap()
    }

    #[tokio::test]
    async fn a_task_moves_over_the_board() {
        let store = Store::in_memory().await.unwrap();
        let task = store.add_task(&title("order coffee")).await.unwrap();
        assert_eq!((task.state, task.done_at), (TaskState::Todo, None));

        let done = store.move_task(task.id, TaskState::Done).await.unwrap();
        assert_eq!(done.state, TaskState::Done);
        assert!(done.done_at.is_some());

        let again = store.move_task(task.id, TaskState::Doing).await.unwrap();
        assert_eq!((again.state, again.done_at), (TaskState::Doing, None));
    }

    #[tokio::test]
    async fn tasks_are_listed_by_state() {
        let store = Store::in_memory().await.unwrap();
        let first = store.add_task(&title("first")).await.unwrap();
        let second = store.add_task(&title("second")).await.unwrap();
        let second = store.move_task(second.id, TaskState::Done).await.unwrap();

        assert_eq!(store.tasks(None).await.unwrap(), [first, second.clone()]);
        assert_eq!(store.tasks(Some(TaskState::Done)).await.unwrap(), [second]);
        assert_eq!(store.counts().await.unwrap(), [(TaskState::Todo, 1), (TaskState::Doing, 0), (TaskState::Done, 1)]);
    }

    #[tokio::test]
    async fn a_missing_task_is_named() {
        let store = Store::in_memory().await.unwrap();
        let error = store.move_task(7, TaskState::Done).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no task 7");
    }
}
