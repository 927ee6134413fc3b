use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::routing::{get, patch};
use axum::{Json, Router};
use kiro_domain::{Note, NoteBody, Task, TaskState, Title};
use kiro_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;

use crate::VERSION;
use crate::error::ApiError;

/// The line above the board.
const MOTD: &str = "Small steps, every day.";

type Answer<T> = Result<Json<T>, ApiError>;

pub fn app(store: Store, allowed_origin: Option<HeaderValue>) -> Router {
    let app = Router::new()
        .route("/health", get(health))
        .route("/api/version", get(version))
        .route("/api/motd", get(motd))
        .route("/api/board", get(board))
        .route("/api/tasks", get(tasks).post(add_task))
        .route("/api/tasks/{id}", get(task))
        .route("/api/tasks/{id}/start", patch(start))
        .route("/api/tasks/{id}/done", patch(done))
        .route("/api/tasks/{id}/notes", get(notes).post(add_note))
        .with_state(store)
        .layer(TraceLayer::new_for_http());
    match allowed_origin {
        None => app,
        Some(origin) => app.layer(
            CorsLayer::new()
                .allow_origin(origin)
                .allow_methods([Method::GET, Method::POST, Method::PATCH])
                .allow_headers([header::CONTENT_TYPE]),
        ),
    }
}

/// A task as the page shows it.
#[derive(Serialize)]
struct TaskView {
    #[serde(flatten)]
    task: Task,
    label: &'static str,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        let label = task.state.label();
        Self { task, label }
    }
}

async fn health(State(store): State<Store>) -> (StatusCode, Json<Value>) {
    match store.ping().await {
        Ok(()) => (StatusCode::OK, Json(json!({ "status": "ok", "version": VERSION }))),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "no database", "version": VERSION })))
        }
    }
}

async fn version() -> Json<Value> {
    Json(json!({ "name": "kiro-server", "version": VERSION }))
}

async fn motd() -> Json<Value> {
    Json(json!({ "motd": MOTD }))
}

async fn board(State(store): State<Store>) -> Answer<Value> {
    let columns: Vec<Value> = store
        .counts()
        .await?
        .into_iter()
        .map(|(state, tasks)| json!({ "state": state, "label": state.label(), "tasks": tasks }))
        .collect();
    let notes = store.note_count().await?;
    Ok(Json(json!({ "columns": columns, "notes": notes })))
}

#[derive(Deserialize)]
struct TaskFilter {
    state: Option<String>,
}

async fn tasks(State(store): State<Store>, Query(filter): Query<TaskFilter>) -> Answer<Vec<TaskView>> {
    let state = filter.state.map(|name| name.parse::<TaskState>()).transpose()?;
    let tasks = store.tasks(state).await?;
    Ok(Json(tasks.into_iter().map(TaskView::from).collect()))
}

async fn task(State(store): State<Store>, Path(id): Path<i64>) -> Answer<TaskView> {
    Ok(Json(store.task(id).await?.into()))
}

#[derive(Deserialize)]
struct NewTask {
    title: String,
}

async fn add_task(State(store): State<Store>, Json(new): Json<NewTask>) -> Result<(StatusCode, Json<TaskView>), ApiError> {
    let task = store.add_task(&Title::new(&new.title)?).await?;
    Ok((StatusCode::CREATED, Json(task.into())))
}

async fn start(State(store): State<Store>, Path(id): Path<i64>) -> Answer<TaskView> {
    Ok(Json(store.move_task(id, TaskState::Doing).await?.into()))
}

async fn done(State(store): State<Store>, Path(id): Path<i64>) -> Answer<TaskView> {
    Ok(Json(store.move_task(id, TaskState::Done).await?.into()))
}

async fn notes(State(store): State<Store>, Path(id): Path<i64>) -> Answer<Vec<Note>> {
    Ok(Json(store.notes(id).await?))
}

#[derive(Deserialize)]
struct NewNote {
    body: String,
}

async fn add_note(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Json(new): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>), ApiError> {
    let note = store.add_note(id, &NoteBody::new(&new.body)?).await?;
    Ok((StatusCode::CREATED, Json(note)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    struct Board(Router);

    impl Board {
        async fn new() -> Self {
            Self(app(Store::in_memory().await.unwrap(), None))
        }

        async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string()))
                .unwrap();
            let response = self.0.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            (status, serde_json::from_slice(&bytes).unwrap())
        }

        async fn get(&self, path: &str) -> Value {
            let (status, value) = self.call("GET", path, Value::Null).await;
            assert_eq!(status, StatusCode::OK, "{path}: {value}");
            value
        }
    }

    #[tokio::test]
    async fn health_has_status_and_version() {
        let health = Board::new().await.get("/health").await;
        assert_eq!(health, json!({ "status": "ok", "version": VERSION }));
    }

    #[tokio::test]
    async fn a_task_is_added_and_done() {
        let board = Board::new().await;
        let (status, task) = board.call("POST", "/api/tasks", json!({ "title": " order  coffee" })).await;
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!(task["title"], "order coffee");
        assert_eq!(task["label"], TaskState::Todo.label());

        let path = format!("/api/tasks/{}/done", task["id"]);
        let (status, task) = board.call("PATCH", &path, Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(task["state"], "done");

        assert_eq!(board.get("/api/tasks?state=todo").await, json!([]));
        assert_eq!(board.get("/api/tasks").await, json!([task]));
        assert_eq!(board.get("/api/board").await["columns"][2]["tasks"], 1);
    }

    #[tokio::test]
    async fn mistakes_are_explained() {
        let board = Board::new().await;
        let (status, body) = board.call("POST", "/api/tasks", json!({ "title": " " })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body["error"], "a task needs a title");

        let (status, body) = board.call("POST", "/api/tasks/3/notes", json!({ "body": "hello" })).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(body["error"], "there is no task 3");
    }
}
