"""What the languages of kernels are called, and the names that each keeps for itself."""

# Languages that go by another name in notebooks than in papermill's list.
ALIASES = {
    "c#": ".net-csharp",
    "csharp": ".net-csharp",
    "f#": ".net-fsharp",
    "fsharp": ".net-fsharp",
    "ipython": "python",
    "ipython3": "python",
    "powershell": ".net-powershell",
    "pwsh": ".net-powershell",
    "pyspark": "python",
    "python3": "python",
    "shell": "bash",
    "sparkr": "r",
}
# The kernels of sparkmagic, which send what they are given to a session of another language.
OF_KERNEL = {"pysparkkernel": "python", "sparkkernel": "scala", "sparkrkernel": "r"}
# Names that a language keeps for itself: an assignment to one is an error that quotes the line, value and all, or
# does something else than assign. Of Python's soft keywords (`match`, `type`, `_`) each can be assigned.
RESERVED = {
    "python": "False None True __debug__ and as assert async await break class continue def del elif else except "
    "finally for from global if import in is lambda nonlocal not or pass raise return try while with yield",
    "r": "FALSE Inf NA NA_character_ NA_complex_ NA_integer_ NA_real_ NULL NaN TRUE break else for function if in next "
    "repeat while",
    "julia": "baremodule begin break catch const continue do else elseif end export false finally for function global "
    "if import let local macro module quote return struct true try using while",
    "scala": "_ abstract case catch class def do else extends false final finally for forSome if implicit import lazy "
    "match new null object override package private protected return sealed super this throw trait true try "
    "type val var while with yield",
    "matlab": "break case catch classdef continue else elseif end for function global if otherwise parfor persistent "
    "return spmd switch try while",
    ".net-csharp": "abstract as base bool break byte case catch char checked class const continue decimal default "
    "delegate do double else enum event explicit extern false finally fixed float for foreach goto if implicit "
    "in int interface internal is lock long namespace new null object operator out override params private "
    "protected public readonly ref return sbyte sealed short sizeof stackalloc static string struct switch "
    "this throw true try typeof uint ulong unchecked unsafe ushort using virtual void volatile while",
    ".net-fsharp": "abstract and as assert base begin class const default delegate do done downcast downto elif else "
    "end exception extern false finally fixed for fun function global if in inherit inline interface internal "
    "lazy let match member module mutable namespace new not null of open or override private public rec "
    "return select static struct then to true try type upcast use val void when while with yield _",
    # about_Automatic_Variables, in lower case because PowerShell's names have none: it refuses an assignment, or sets them itself.
    ".net-powershell": "_ args consolefilename enabledexperimentalfeatures error event eventargs eventsubscriber "
    "executioncontext false foreach home host input iscoreclr islinux ismacos iswindows lastexitcode matches "
    "myinvocation nestedpromptlevel null pid profile psboundparameters pscmdlet pscommandpath psculture "
    "psdebugcontext psedition pshome psitem psscriptroot pssenderinfo psuiculture psversiontable pwd sender "
    "shellid stacktrace switch this true",
    # The manual's "Bash Variables": assignments to these are refused, computed (`RANDOM='a[$(id)]'` runs id), executed
    # (PROMPT_COMMAND, PS1), without effect, or change how bash reads what follows.
    "bash": "BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_ENV BASH_LINENO "
    "BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION BASH_XTRACEFD COMP_WORDBREAKS DIRSTACK ENV EPOCHREALTIME "
    "EPOCHSECONDS EUID FUNCNAME GROUPS HISTCMD IFS LINENO OPTIND POSIXLY_CORRECT PPID PROMPT_COMMAND PS0 PS1 PS2 "
    "PS3 PS4 RANDOM SECONDS SHELLOPTS SRANDOM UID _",
}


def known_language(name):
    """The name of a language in these lists, if it is there."""
    lower = name.lower()
    return ALIASES.get(lower, lower)
