//! The first token: made where none is configured, written to a file that only its owner reads, and never logged.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Role, Token};

/// The longest token that is read.
const LONGEST: u64 = 512;
/// How many random bytes a token has.
const RANDOM: usize = 32;

/// The first token, and where it lies.
#[derive(Debug)]
pub struct AdminToken {
    /// What is known of it.
    pub token: Token,
    /// The file that holds it.
    pub file: PathBuf,
    /// It was made just now.
    pub made: bool,
}

/// Reads `admin.token` in this folder, or makes it.
///
/// # Errors
/// The file cannot be read or made, others may read it, or it holds no token.
pub fn admin_token(folder: &Path) -> io::Result<AdminToken> {
    let file = folder.join("admin.token");
    let (secret, made) = match read(&file) {
        Ok(secret) => (secret, false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (make(&file)?, true),
        Err(error) => return Err(error),
    };
    Ok(AdminToken { token: Token::of("admin", &secret, Role::Admin), file, made })
}

fn read(file: &Path) -> io::Result<String> {
    let open = fs::File::open(file)?;
    let mode = open.metadata()?.mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!("others may read it (mode {:o}): chmod 600, or delete it", mode & 0o777)));
    }
    let mut text = String::new();
    open.take(LONGEST).read_to_string(&mut text)?;
    let secret = text.trim();
    if secret.len() < RANDOM || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(io::Error::other("it holds no token: delete it, and one is made at the next start"));
    }
    Ok(secret.to_owned())
}

/// Written beside and linked to its name, so that no half token is ever read and no file that is there is replaced.
fn make(file: &Path) -> io::Result<String> {
    let mut random = [0; RANDOM];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("the machine gives no random numbers"))?;
    let secret = format!("ecrgate_{}", URL_SAFE_NO_PAD.encode(random));
    let beside = file.with_extension(format!("token.{}", std::process::id()));
    let mut open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    open.set_permissions(fs::Permissions::from_mode(0o600))?;
    let written = open.write_all(format!("{secret}\n").as_bytes()).and_then(|()| open.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&beside, file));
    fs::remove_file(&beside)?;
    linked.map(|()| secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s36_the_first_token_is_made_once_and_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = admin_token(folder.path()).unwrap();
        assert!(first.made);
        assert_eq!(fs::metadata(&first.file).unwrap().mode() & 0o777, 0o600);
        let secret = fs::read_to_string(&first.file).unwrap();
        assert!(secret.trim().len() >= 43, "32 random bytes");
        assert!(!format!("{first:?}").contains(secret.trim()));
        assert_eq!(first.token, Token::of("admin", secret.trim(), Role::Admin));
        let again = admin_token(folder.path()).unwrap();
        assert!(!again.made);
        assert_eq!(again.token, first.token);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["admin.token"]);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(admin_token(other.path()).unwrap().token, first.token);
    }

    #[test]
    fn s36_a_token_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = admin_token(folder.path()).unwrap().file;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(admin_token(folder.path()).unwrap_err().to_string().contains("others may read it (mode 640)"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "short", "a token of words that is long enough to be one"] {
            fs::write(&file, text).unwrap();
            assert!(admin_token(folder.path()).unwrap_err().to_string().contains("holds no token"), "{text:?}");
        }
    }
}
