//! The rules about logs of steps, the stronger first. Sources of the texts: Spark 3.5, Hadoop 3.4, PySpark, CPython, and
//! the probable-cause patterns of mrjob.

use super::Rule;
use crate::diagnose::Class::{Capacity, Code, Data, Permission, Service};

const SPACE: &str = "free some space, `soflow gc` removes old versions, then run the same command again";
pub const DRIVER: &str = "give the driver more memory: `spark: { driver-memory: 8g }` in the job file";
const LAPTOP: &str = "give the driver more memory: `spark: { driver-memory: 8g }` in the job file, or `--parallel 1`";
pub const EXECUTOR: &str = "give the executors more memory: `spark: { executor-memory: 8g }` in the job file, or \
             `conf: { spark.executor.memoryOverhead: 2g }` for Python's part of it";
pub const LOST: &str =
    "it may be all right the next time; if not, take on-demand instead of spot units in the cluster shape";
const REQUIREMENTS: &str = "put it in the code folder, or in the requirements that `dependencies:` of the target names";

/// What explains a failure.
const HOST_NETWORK: &str = "a step here has no network unless its target in config/soflow.yaml has `network: host`";

pub const CAUSES: &[Rule] = &[
    // Memory. An application's own container is the driver; 137 and 143 are SIGKILL and SIGTERM, 52 is Spark's own code for
    // a heap that is full (SparkExitCode.OOM).
    Rule::new(
        Capacity,
        &[
            "AM Container for {} exited with  exitCode: 137",
            "AM Container for {} exited with  exitCode: -104",
            "AM Container for {} exited with  exitCode: 143",
        ],
    )
    .says("the driver was killed, as happens when it uses more memory than its container has")
    .hint(DRIVER),
    Rule::new(
        Capacity,
        &[
            "Container killed by YARN for exceeding {}memory limits. {used} of {limit} physical memory used",
            "is running beyond physical memory limits. Current usage: {used} of {limit} physical memory used",
        ],
    )
    .says("a container used more memory than it may, {used} of {limit}, and was killed")
    .hint(EXECUTOR),
    Rule::new(Capacity, &["executor driver): java.lang.OutOfMemoryError"])
        .says("the driver ran out of memory: its Java heap is full")
        .hint(DRIVER)
        .laptop(LAPTOP),
    Rule::new(
        Capacity,
        &["executor {}): java.lang.OutOfMemoryError", "Exit status: 52", "exit code 52", "exitCode: 52"],
    )
    .says("an executor ran out of memory: its Java heap is full")
    .hint(EXECUTOR),
    Rule::new(
        Capacity,
        &[
            "Exit status: 137",
            "Exit code is 137",
            "exit code 137",
            "Exit status: 143",
            "Exit code is 143",
            "exit code 143",
            "Container killed by YARN for exceeding",
            "exitCode: 137",
            "exitCode: 143",
            "exitCode: -104",
        ],
    )
    .says("a container was killed, as happens when memory runs out")
    .hint(EXECUTOR),
    Rule::new(Capacity, &["java.lang.OutOfMemoryError"])
        .hint(
            "give the step more memory: `spark: { driver-memory: 8g }` in the job file, or \
             `executor-memory` when the log is an executor's",
        )
        .laptop(LAPTOP),
    Rule::new(Capacity, &["memory ({} is above the max threshold ({limit}) of this cluster"])
        .hint("ask for less memory below `spark:` in the job file, or take larger instances in the cluster shape"),
    Rule::new(Capacity, &["MemoryError"]).hint(DRIVER).laptop("run fewer steps at once: `--parallel 1`"),
    Rule::new(Capacity, &["bigger than spark.driver.maxResultSize"]).hint(
        "write the rows instead of collecting them, or `spark: { conf: { \
             spark.driver.maxResultSize: 4g } }` in the job file",
    ),
    Rule::new(Capacity, &["No space left on device", "StorageFull", "Disk quota exceeded"])
        .hint("give the nodes larger disks: `disk:` of the cluster shape")
        .laptop(SPACE),
    // Who may not. Requests that AWS refuses are not here: they are read, not only recognised.
    Rule::new(Permission, &["ExpiredToken", "The provided token has expired"])
        .says("the credentials of the step expired while it ran")
        .hint("run it again; if it lasts longer than the role's session, give the role a longer one"),
    Rule::new(Permission, &["Permission denied"])
        .hint("steps run as the user `hadoop`: check who owns the path")
        .laptop("check who owns the lake's folders"),
    Rule::new(Permission, &["Read-only file system"])
        .hint("choose a location that can be written")
        .laptop("choose a lake location that can be written"),
    // The step's code and what it needs.
    Rule::new(Code, &["Cannot run program \"./environment/bin/python", "./environment/bin/python: No such file"])
        .says("the Python shipped with the step is not on the node")
        .hint(
            "the archive of `dependencies:` is missing, or has no `bin/python` that works on the \
             cluster: submit again with `dependencies:` of the target set",
        ),
    Rule::new(Code, &["Cannot run program \"{program}\""])
        .says("`{program}` cannot be run on the node")
        .hint("name a Python that the release has: `python:` of the cluster shape"),
    Rule::new(Code, &["No module named '{module}'"]).hint(REQUIREMENTS).laptop(
        "put it in the code folder: besides that, a step imports only PySpark, pandas, PyArrow, vaderSentiment and \
             what these need",
    ),
    Rule::new(
        Code,
        &["cannot open shared object file", "invalid ELF header", "version `GLIBC_{}' not found", "wrong ELF class"],
    )
    .hint("a package in `dependencies:` was built for another system than the cluster's"),
    Rule::new(Code, &["ImportError:"])
        .hint("check the versions in the requirements that `dependencies:` of the target names")
        .laptop(""),
    Rule::new(
        Code,
        &[
            "Python in worker has different version {worker} than that in driver {driver}",
            "PYTHON_VERSION_MISMATCH] Python in worker has different version: {worker} than that in \
             driver: {driver}, PySpark cannot run",
        ],
    )
    .says("executors run Python {worker}, the driver {driver}")
    .hint("name the Python that the dependencies are built for: `python:` of the cluster shape"),
    Rule::new(Code, &["SparkContext did not initialize after waiting"])
        .says("the step's script did not start a Spark session")
        .hint("`SparkSession.builder.getOrCreate()` must be among the first things it does"),
    Rule::new(Code, &["Failed to find data source: {source}", "Failed to find the data source: {source}"])
        .says("Spark here cannot read or write `{source}`")
        .hint("add the package that can: `spark: { packages: group:artifact:version }` in the job file"),
    Rule::new(Code, &["java.lang.ClassNotFoundException: {name}", "java.lang.NoClassDefFoundError: {name}"])
        .hint("add the jar that has it: `spark: { packages: group:artifact:version }` in the job file"),
    Rule::new(Code, &["can't open file '{file}'"]).says("the script `{file}` is not there"),
    Rule::new(Code, &["TABLE_OR_VIEW_NOT_FOUND"])
        .hint("a step reads the inputs its task names: list the table in the step's `reads:`"),
    // What the step reads.
    Rule::new(Data, &["QuarantineLimitError:", "TaskError:", "GoldError:"]),
    Rule::new(Data, &["NoSuchBucket", "The specified bucket does not exist"])
        .hint("check the locations: `soflow config show`"),
    Rule::new(
        Data,
        &["Parquet column cannot be converted in file {file}. Column: [{column}], Expected: \
             {expected}, Found: {found}."],
    )
    .says("column `{column}` is {found} where {expected} is expected, in {file}")
    .hint("the file was written with other types: write that partition again, or read the column as it is"),
    Rule::new(
        Data,
        &[
            "SchemaColumnConvertNotSupportedException",
            "CANNOT_MERGE_SCHEMAS",
            "Failed merging schema",
            "UNABLE_TO_INFER_SCHEMA",
            "INCOMPATIBLE_DATA_FOR_TABLE",
            "FAILED_READ_FILE",
        ],
    )
    .hint("see what the files are: `soflow tables show TABLE`"),
    Rule::new(Data, &["{file} is not a Parquet file"]).hint("remove that object, or write its partition again"),
    Rule::new(
        Data,
        &[
            "PATH_NOT_FOUND",
            "Path does not exist: ",
            "NoSuchKey",
            "The specified key does not exist",
            "java.io.FileNotFoundException",
            "FileNotFoundError:",
        ],
    )
    .hint("see what is published: `soflow tables`"),
    Rule::new(
        Data,
        &[
            "CAST_INVALID_INPUT",
            "CAST_OVERFLOW",
            "MALFORMED_RECORD",
            "Malformed records are detected",
            "UnicodeDecodeError:",
            "JSONDecodeError:",
            "BadGzipFile:",
            "EOFError: Compressed file ended",
            "java.util.zip.ZipException",
        ],
    ),
    Rule::new(Data, &["Can't cast value {value} to type", "element_at: the index is out of bounds"])
        .hint("Spark 3.5 makes another value of it: `try_cast` and `try_element_at` are null on every engine"),
    // Spark will not guess what Spark 2 would have made of a value; Sail and newer Sparks never ask.
    Rule::new(Data, &["You can set \"{setting}\" to \"LEGACY\"", "You can set the SQL config \"{setting}\" or"])
        .says("a value of which Spark before 3.0 made another: `{setting}` decides what it is")
        .hint(
            "take it as it is, as Sail does: `spark: { conf: { {setting}: CORRECTED } }` of the step in the job file",
        ),
    // The cluster and the network.
    Rule::new(
        Capacity,
        &[
            "Container released on a *lost* node",
            "Exit status: -100",
            "Slave lost",
            "Worker lost",
            "worker lost",
            "failed due to node loss",
            "Lost node",
        ],
    )
    .says("a node of the cluster was lost while the step ran, as spot instances are")
    .hint(LOST),
    Rule::new(Service, &["UnknownHostException: {host}"])
        .says("`{host}` has no address where the step ran")
        .hint("a private subnet needs a VPC endpoint for the service, or a way out")
        .laptop(HOST_NETWORK),
    Rule::new(Service, &["Network is unreachable", "Temporary failure in name resolution"])
        .hint("a private subnet needs a VPC endpoint for the service, or a way out")
        .laptop(HOST_NETWORK),
    Rule::new(
        Service,
        &[
            "ConnectTimeoutException: Connect to {host} ",
            "Connect to {host} failed",
            "Failed to connect to service endpoint: {host}",
        ],
    )
    .says("`{host}` cannot be reached from where the step ran")
    .hint("a private subnet needs a VPC endpoint for the service, or a way out; check the security groups"),
    Rule::new(Service, &["Status Code: 503", "reduce your request rate", "Rate exceeded", "ThrottlingException"])
        .says("a service of AWS throttled the step's requests")
        .hint("run it again later, with fewer steps at once"),
];
