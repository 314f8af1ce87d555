//! What tests ask of a server, each on a connection of its own.

use super::{PASSWORD, Server};
use crate::http::{Answer, Connection, Request};
use serde_json::{Value, json};
use std::io;

impl Server {
    /// A connection to it.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.address).await
    }

    /// Signs in and gives back the access token.
    ///
    /// # Errors
    /// Where the server does not answer or refuses.
    pub async fn sign_in(&self, email: &str, password: &str) -> io::Result<String> {
        let credentials = json!({"email": email, "password": password});
        let answer = self.post("/api/v1/sessions", None, &credentials).await?;
        let token = answer.json()["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| io::Error::other(format!("{}: {}", answer.status, answer.json())))
    }

    /// Registers a buyer and signs in.
    ///
    /// # Errors
    /// As [`Server::sign_in`].
    pub async fn buyer(&self, email: &str) -> io::Result<String> {
        let password = PASSWORD;
        let new = json!({"email": email, "name": "A Buyer", "password": password});
        self.post("/api/v1/users", None, &new).await?;
        self.sign_in(email, password).await
    }

    /// Posts.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn post(&self, path: &str, token: Option<&str>, json: &Value) -> io::Result<Answer> {
        self.ask(&Request { method: "POST", path, token, json: Some(json), headers: &[] }).await
    }

    /// Puts.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn put(&self, path: &str, token: Option<&str>, json: &Value) -> io::Result<Answer> {
        self.ask(&Request { method: "PUT", path, token, json: Some(json), headers: &[] }).await
    }

    /// Gets.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn get(&self, path: &str, token: Option<&str>) -> io::Result<Answer> {
        self.ask(&Request { path, token, ..Request::default() }).await
    }

    /// Asks whatever it is.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn ask(&self, request: &Request<'_>) -> io::Result<Answer> {
        self.connect().await?.send(request).await
    }
}
