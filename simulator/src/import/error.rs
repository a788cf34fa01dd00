//! Why an export is refused: where, what, and how to mend it.

use std::fmt;
use std::io;

/// Where in which file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: String,
    /// Line and column, counted from 1, where known. JSON does not tell where its items begin.
    pub line_column: Option<(usize, usize)>,
    /// Which document of the file, counted from 1; 0 if that is not the point.
    pub document: usize,
    /// Which item of that document's list, counted from 1.
    pub item: Option<usize>,
}

impl Place {
    /// Boxed, as errors carry it: results should not be as large as their rarest part.
    pub(super) fn line(file: &str, line: usize, column: usize) -> Box<Place> {
        Box::new(Place { file: file.to_owned(), line_column: Some((line, column)), ..Place::default() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        if let Some((line, column)) = self.line_column {
            write!(out, ":{line}:{column}")?;
        }
        match (self.document, self.item) {
            (0, _) => Ok(()),
            (document, None) => write!(out, ": document {document}"),
            (document, Some(item)) => write!(out, ": document {document}, item {item}"),
        }
    }
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file could not be opened or read.
    #[error("{file}: cannot be read: check the path and its permissions")]
    Unreadable {
        /// The file.
        file: String,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// A folder was named.
    #[error("{file}: is a directory: name the file that the export was written to")]
    Directory {
        /// The folder.
        file: String,
    },
    /// More than a file may hold.
    #[error(
        "{file}: is larger than {bytes_max} bytes: export fewer kinds (Events and Secrets are not needed)"
    )]
    FileTooLarge {
        /// The file.
        file: String,
        /// The limit, in bytes.
        bytes_max: u64,
    },
    /// Nothing, or only blanks.
    #[error("{file}: is empty: export the cluster again and check that kubectl succeeds")]
    Empty {
        /// The file.
        file: String,
    },
    /// An AWS file without anything that describes something.
    #[error(
        "{file}: describes nothing: give what `aws eks describe-nodegroup` and the like printed, and check that aws succeeds"
    )]
    NothingDescribed {
        /// The file.
        file: String,
    },
    /// An AWS file that cannot be of the cluster whose export it is given with.
    #[error("{file}: {what}: give both of one cluster, from the same time")]
    Contradiction {
        /// The file.
        file: String,
        /// What the file says, and which object of the export says otherwise.
        what: String,
    },
    /// Text, but no object in it.
    #[error(
        "{file}: contains no objects: check that kubectl was asked for all namespaces (-A) of the right cluster"
    )]
    NoObjects {
        /// The file.
        file: String,
    },
    /// UTF-16, as PowerShell writes it.
    #[error(
        "{file}:1:1: is UTF-16: save it as UTF-8 (in PowerShell: `kubectl … | Out-File -Encoding utf8 FILE`)"
    )]
    Utf16 {
        /// The file.
        file: String,
    },
    /// Bytes that are no text.
    #[error("{place}: is not UTF-8 text: give the YAML or JSON that kubectl printed, not compressed")]
    NotUtf8 {
        /// The first bad byte; columns count bytes.
        place: Box<Place>,
    },
    /// Text that is not YAML, or not JSON.
    #[error("{place}: {what}: correct this place, or export the file again if it was cut off")]
    Syntax {
        /// Where the parser stopped.
        place: Box<Place>,
        /// What it says.
        what: String,
    },
    /// Valid text that asks for too much, or that Kubernetes would never print.
    #[error("{place}: {what}: {mend}")]
    Shape {
        /// Where.
        place: Box<Place>,
        /// What is wrong.
        what: String,
        /// What to do about it.
        mend: &'static str,
    },
    /// A field of the wrong type.
    #[error("{place}: {object}: {field}: {what}: correct the field, or export the object again")]
    Field {
        /// The object's place.
        place: Box<Place>,
        /// Kind, namespace and name, as far as known.
        object: String,
        /// Path to the field, for example `spec.containers[0].image`.
        field: String,
        /// What is wrong with it.
        what: String,
    },
    /// The same object a second time.
    #[error("{place}: {object}: was already given at {first}: keep one of the two")]
    Duplicate {
        /// Place of the second.
        place: Box<Place>,
        /// Kind, namespace and name.
        object: String,
        /// Place of the first.
        first: Box<Place>,
    },
}

/// What a JSON error says, without its position: that is a position in our compact text, or is given as a [`Place`].
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
