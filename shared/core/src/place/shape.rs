//! Values that look like the name of a file, whatever their member is called.

/// Endings of files that hold data. Programs and web pages are not among them.
const ENDINGS: [&str; 66] = [
    "arrow",
    "avi",
    "avro",
    "bin",
    "bmp",
    "bz2",
    "ckpt",
    "csv",
    "dat",
    "data",
    "db",
    "doc",
    "docx",
    "feather",
    "geojson",
    "gif",
    "gz",
    "h5",
    "hdf5",
    "html",
    "htm",
    "ini",
    "jpeg",
    "jpg",
    "joblib",
    "json",
    "jsonl",
    "log",
    "md",
    "mov",
    "mp3",
    "mp4",
    "ndjson",
    "npy",
    "npz",
    "onnx",
    "orc",
    "parquet",
    "pb",
    "pdf",
    "pickle",
    "pkl",
    "png",
    "ppt",
    "pptx",
    "pt",
    "pth",
    "rds",
    "safetensors",
    "sas7bdat",
    "shp",
    "sqlite",
    "svg",
    "tar",
    "tfrecord",
    "tgz",
    "tif",
    "tiff",
    "toml",
    "tsv",
    "txt",
    "wav",
    "webp",
    "xls",
    "xlsx",
    "xml",
];
const MORE_ENDINGS: [&str; 6] = ["xz", "yaml", "yml", "zip", "zst", "tfrecords"];

/// Returns true if a text is one word that ends like a data file: `in/2024.csv`.
pub(super) fn is_file(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or_default();
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let ending = ending.to_ascii_lowercase();
    let is_word = !text.is_empty() && text.len() <= 1024 && !text.contains(is_blank);
    let is_known = |ending: &str| ENDINGS.contains(&ending) || MORE_ENDINGS.contains(&ending);
    is_word && !stem.is_empty() && is_known(&ending)
}

/// Returns true if a text holds a word that is the path of a data file, such as
/// `--input in/2024.csv`.
pub(super) fn holds_file(text: &str) -> bool {
    words(text).any(|word| word.contains('/') && is_file(word))
}

/// Returns the words of a list or a command.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c| is_blank(c) || matches!(c, ',' | ';' | '|' | '='));
    let bare = words.map(|word| word.trim_matches(['"', '\'', '`', '(', ')', '[', ']']));
    bare.filter(|word| !word.is_empty())
}

/// Returns true if a text is one word of several parts: `in/2024`.
pub(super) fn is_path(text: &str) -> bool {
    let inner = text.trim_start_matches('/');
    inner.len() <= 1024 && inner.contains('/') && !text.contains(is_blank)
}

/// Returns true for a path of a mounted file system. Lambda mounts them below `/mnt` only.
pub(super) fn is_mounted(text: &str) -> bool {
    text.strip_prefix("/mnt/").is_some_and(|rest| !rest.is_empty() && !text.contains(is_blank))
}

/// Returns true for a path of the function's own machine, which holds nothing between two runs.
pub(super) fn is_scratch(text: &str) -> bool {
    ["/tmp/", "/var/task/", "/opt/", "/dev/"].iter().any(|folder| text.starts_with(folder))
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}
