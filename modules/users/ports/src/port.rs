//! The port itself.

use crate::{
    ChangeRole, CheckSession, CreateSession, EndSession, EndSessions, EraseUser, GetUser, Jwks, ListSessions,
    ListUsers, RefreshSession, RegisterUser, Session, SessionState, SignedIn, SigningKeys, UpdateProfile,
    User, UsersError,
};
use kernel::Page;

bus::port! {
    /// Who people are, whether they are signed in, and what they may do.
    "users" pub trait UsersPort {
        #[command]
        /// Registers a customer under the id that the caller chose.
        async fn register(&self, request: RegisterUser) -> Result<User, UsersError>;

        #[command]
        /// Signs somebody in. Asking twice for one session id makes one session.
        async fn create_session(&self, request: CreateSession) -> Result<SignedIn, UsersError>;

        #[command]
        /// Exchanges a refresh token for the next. A dead one ends its session.
        async fn refresh_session(&self, request: RefreshSession) -> Result<SignedIn, UsersError>;

        #[command]
        /// Ends one session; also one that has ended.
        async fn end_session(&self, request: EndSession) -> Result<(), UsersError>;

        #[command]
        /// Ends all sessions of a user.
        async fn end_sessions(&self, request: EndSessions) -> Result<(), UsersError>;

        #[query]
        /// A user's sessions that have not ended, newest first.
        async fn list_sessions(&self, request: ListSessions) -> Result<Page<Session>, UsersError>;

        #[query]
        /// Whether a session still counts, and what its user may do now.
        async fn check_session(&self, request: CheckSession) -> Result<SessionState, UsersError>;

        #[query]
        /// One user.
        async fn get_user(&self, request: GetUser) -> Result<User, UsersError>;

        #[query]
        /// The users, in the order of their registration.
        async fn list_users(&self, request: ListUsers) -> Result<Page<User>, UsersError>;

        #[command]
        /// Changes what a user may change of themselves. Another password ends all their sessions.
        async fn update_profile(&self, request: UpdateProfile) -> Result<User, UsersError>;

        #[command]
        /// Deactivates a user, erases their personal data and ends their sessions. The address is free again.
        async fn erase(&self, request: EraseUser) -> Result<(), UsersError>;

        #[command]
        /// Gives a user another role; counts for every check from then on.
        async fn change_role(&self, request: ChangeRole) -> Result<User, UsersError>;

        #[query]
        /// The public keys of access tokens.
        async fn signing_keys(&self, request: SigningKeys) -> Result<Jwks, UsersError>;
    }
}
