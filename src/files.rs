//! Files that a command writes: whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// A file that appears under its name only when it is complete. Dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Pending {
    target: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Pending {
    /// Begins a file, beside its later place. Before a long run, so that a path that cannot be written is told first.
    pub(crate) fn begin(target: &Path) -> Result<Pending> {
        Pending::begin_with(target, OpenOptions::new().write(true).create_new(true))
    }

    /// Begins a file that nobody but its owner may read.
    #[cfg(feature = "live")]
    pub(crate) fn begin_private(target: &Path) -> Result<Pending> {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Pending::begin_with(target, options.write(true).create_new(true))
    }

    fn begin_with(target: &Path, options: &OpenOptions) -> Result<Pending> {
        let begin = || -> io::Result<Pending> {
            // A link keeps pointing where it does; the file that it names is replaced.
            let target = &fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
            if target.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            if target.exists() && !target.is_file() {
                return Err(io::Error::other(
                    "it is a device, a pipe or a socket, which no file may replace",
                ));
            }
            let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}.partial", std::process::id()));
            let temporary = target.with_file_name(hidden);
            let file = options.open(&temporary)?;
            Ok(Pending { target: target.to_owned(), temporary, file: Some(BufWriter::new(file)) })
        };
        begin().with_context(|| format!("{}: cannot be written", target.display()))
    }

    /// Writes the contents, makes them durable and gives the file its name.
    pub(crate) fn finish(mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
        let mut writer = self.file.take().expect("a file is finished once");
        let finish = || -> io::Result<()> {
            write(&mut writer)?;
            writer.flush()?;
            writer.get_ref().sync_all()?;
            fs::rename(&self.temporary, &self.target)
        };
        finish().with_context(|| format!("{}: cannot be written", self.target.display()))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After the rename it is no longer there, which is as good.
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_link_is_followed_and_a_device_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Pending::begin(&link).unwrap().finish(|out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let error = Pending::begin(Path::new("/dev/null")).unwrap_err();
        assert!(format!("{error:#}").contains("a device"), "{error:#}");
    }

    #[test]
    fn a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timeline.txt");
        Pending::begin(&path).unwrap().finish(|out| out.write_all(b"first")).unwrap();
        let failed = Pending::begin(&path).unwrap().finish(|out| {
            out.write_all(b"second")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.is_err());
        drop(Pending::begin(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
