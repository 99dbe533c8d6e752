package schemas

// The codes of findings. A code names the rule that was broken; it is part of
// the interface (scripts match on it), so it is never renamed once released.
const (
	// About the file as a whole.

	// CodeEncoding: not UTF-8, a byte order mark, or a character that no file
	// may hold (NUL, NEL, LS, PS).
	CodeEncoding = "encoding"
	// CodeTooLarge: the file is larger than MaxFileBytes, or its path longer
	// than MaxPathBytes.
	CodeTooLarge = "too-large"
	// CodeRefusedFile: the Git source refused the entry (symlink, submodule,
	// broken entry).
	CodeRefusedFile = "refused-file"
	// CodeEmptyFile: the file holds no document.
	CodeEmptyFile = "empty-file"
	// CodeSeveralDocuments: the file holds more than one YAML document.
	CodeSeveralDocuments = "several-documents"
	// CodeStray (a warning): the file looks like one that Mooring reads but
	// stands where it is not read.
	CodeStray = "stray"

	// About YAML.

	// CodeSyntax: the file is not YAML.
	CodeSyntax = "syntax"
	// CodeAlias: an anchor, an alias or a merge key.
	CodeAlias = "alias"
	// CodeTag: an explicit YAML tag.
	CodeTag = "tag"
	// CodeDirective: a YAML directive.
	CodeDirective = "directive"
	// CodeTooDeep: nested deeper than MaxDepth.
	CodeTooDeep = "too-deep"
	// CodeTooMany: a list or mapping of more than MaxItems entries.
	CodeTooMany = "too-many"
	// CodeDuplicateKey: a key stands twice in one mapping.
	CodeDuplicateKey = "duplicate-key"
	// CodeNull: a field is written without a value, or with null.
	CodeNull = "null"

	// About one field.

	// CodeUnknownField: no such field exists here.
	CodeUnknownField = "unknown-field"
	// CodeRequired: a field that must be written is missing.
	CodeRequired = "required"
	// CodeWrongType: a value of another type than the field's, such as an
	// unquoted number where a string belongs.
	CodeWrongType = "wrong-type"
	// CodeNotFinite: NaN or an infinity.
	CodeNotFinite = "not-finite"
	// CodeOutOfRange: a number, quantity, time or count outside its bounds.
	CodeOutOfRange = "out-of-range"
	// CodeAmount (a warning where it stands already, an error where it is proposed):
	// an amount of memory that nobody means, such as half a byte.
	CodeAmount = "unlikely-amount"
	// CodeTooLong: a text longer than its field allows.
	CodeTooLong = "too-long"
	// CodeInvalidValue: a text that is not of its field's form (name, duration,
	// percentage, quantity, URI, ...).
	CodeInvalidValue = "invalid-value"
	// CodeUnknownValue: a value that is none of those the field knows.
	CodeUnknownValue = "unknown-value"
	// CodeDuplicateValue: a value stands twice in a list that is a set, or a
	// name twice in a list of named things.
	CodeDuplicateValue = "duplicate-value"
	// CodeConflict: fields are written together that exclude each other, or one
	// is missing that another demands.
	CodeConflict = "conflict"
	// CodeNotAscending: values that must rise from one to the next do not.
	CodeNotAscending = "not-ascending"

	// About references between files.

	// CodePathMismatch: the path's segments differ from what the file declares.
	CodePathMismatch = "path-mismatch"
	// CodeDuplicateIdentity: two manifests declare the same team, name and
	// environment.
	CodeDuplicateIdentity = "duplicate-identity"
	// CodeMissingGovernance: the repository has no governance.yaml.
	CodeMissingGovernance = "missing-governance"
	// CodeUnknownTeam: no such file in teams/.
	CodeUnknownTeam = "unknown-team"
	// CodeUnknownEnvironment: no such file in environments/.
	CodeUnknownEnvironment = "unknown-environment"
	// CodeUnknownRole: the governance has no such role.
	CodeUnknownRole = "unknown-role"
	// CodeUnknownBoard: the governance has no such board.
	CodeUnknownBoard = "unknown-board"
	// CodeUnknownPool: the environment has no such pool.
	CodeUnknownPool = "unknown-pool"
	// CodeUnknownAccelerator: no pool of the environment offers it.
	CodeUnknownAccelerator = "unknown-accelerator"
	// CodeBrokenReference: the file referred to exists but has errors of its own.
	CodeBrokenReference = "broken-reference"
	// CodePromotionCycle: environments wait for each other.
	CodePromotionCycle = "promotion-cycle"
	// CodeServingMode: not possible in the environment's KServe mode or release; a
	// warning where only settings of the cluster decide.
	CodeServingMode = "serving-mode"
	// CodeRuntime: no serving runtime of the environment's KServe serves the format
	// by the protocol.
	CodeRuntime = "serving-runtime"
	// CodeNeedsAccelerator: the format's server runs on GPUs only.
	CodeNeedsAccelerator = "needs-accelerator"
	// CodeCanary: the traffic cannot be split as the manifest asks; a warning where
	// only the environment's gateway is missing.
	CodeCanary = "canary"
	// CodeNoRoute (a warning): the environment's gateway does not reach the model,
	// or none of its models.
	CodeNoRoute = "no-route"
	// CodeNoEffect (a warning): what is written does nothing in its place.
	CodeNoEffect = "no-effect"
	// CodeReservedName: a name that is kept for what Mooring renders.
	CodeReservedName = "reserved-name"
	// CodeUnknownModel: a graph asks a model that the team does not have in the
	// environment.
	CodeUnknownModel = "unknown-model"
	// CodeNamespace: a namespace template yields a name that is invalid, shared
	// or reserved.
	CodeNamespace = "namespace"
	// CodeHostName (a warning): the host name that KServe makes of a model and its
	// namespace is too long for DNS.
	CodeHostName = "host-name"
	// CodeIsolation: a model of isolated data, or another one, is not where the
	// environment's isolation wants it.
	CodeIsolation = "isolation"
	// CodeBoardSeat: a team replaces a role that has a board's seat.
	CodeBoardSeat = "board-seat"
	// CodeMixedCurrencies: amounts that have to be added are in two currencies.
	CodeMixedCurrencies = "mixed-currencies"
	// CodePoolLabels: the labels of a pool do not keep its models on its nodes.
	CodePoolLabels = "pool-labels"
	// CodeSpot (a warning): a pool describes spot nodes but has no price for them.
	CodeSpot = "spot"
	// CodePublicKey: a key of an environment's signatures cannot be used.
	CodePublicKey = "public-key"
	// CodeSecret: a credential in a file. Found by the security stage, not here.
	CodeSecret = "secret"
	// CodeDiverged: the base changed the same file since the merge base. Found by
	// the review, not here.
	CodeDiverged = "diverged"
	// CodeUnapprovedBase: the change builds on content of its file that nobody
	// approved. Found by the review, not here.
	CodeUnapprovedBase = "unapproved-base"
)

// The caps on one file. A file beyond them is refused, whatever is in it.
const (
	// MaxFileBytes bounds a YAML file.
	MaxFileBytes = 256 << 10
	// MaxPathBytes bounds a path.
	MaxPathBytes = 512
	// MaxDepth bounds the nesting of mappings and lists; the document itself is 1.
	MaxDepth = 32
	// MaxItems bounds the entries of one list, and of one mapping.
	MaxItems = 1000
	// MaxJustification bounds spec.justification, in characters.
	MaxJustification = 4000
)
