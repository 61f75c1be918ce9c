using System.Collections.Generic;

namespace System.Management.Automation
{
    /// <summary>A location, variables and events; no more of a session is needed.</summary>
    public class SessionState
    {
        private readonly IReadOnlyDictionary<string, object?> _variables;

        public SessionState(string location, IReadOnlyDictionary<string, object?>? variables = null, PSEventManager? events = null)
        {
            Events = events ?? new PSEventManager();
            Path = new PathIntrinsics(location);
            _variables = variables ?? new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);
        }

        public PathIntrinsics Path { get; }

        internal PSEventManager Events { get; }

        internal object? Variable(string name) => _variables.GetValueOrDefault(name);
    }

    public class PathIntrinsics
    {
        private readonly string _location;

        internal PathIntrinsics(string location) => _location = location;

        /// <summary>Paths of the file system, <c>~</c>, and <c>Provider::path</c> with a provider that is not the file system's.</summary>
        public string GetUnresolvedProviderPathFromPSPath(string path, out ProviderInfo provider, out PSDriveInfo? drive)
        {
            drive = null;
            int colons = path.IndexOf("::", StringComparison.Ordinal);
            if (colons > 0)
            {
                provider = new ProviderInfo(path[..colons]);
                return path[(colons + 2)..];
            }

            provider = new ProviderInfo("FileSystem");
            if (path == "~" || path.StartsWith("~/", StringComparison.Ordinal))
            {
                path = Environment.GetEnvironmentVariable("HOME") + path[1..];
            }

            return System.IO.Path.GetFullPath(path, _location);
        }
    }

    public class ProviderInfo
    {
        internal ProviderInfo(string name) => Name = name;

        public string Name { get; }
    }

    public class PSDriveInfo;
}

namespace System.Management.Automation.Host
{
    public abstract class PSHost
    {
        public abstract string Name { get; }

        public abstract PSHostUserInterface UI { get; }
    }

    public abstract class PSHostUserInterface
    {
        public abstract void WriteLine(string value);

        public virtual void WriteLine() => WriteLine("");
    }
}

namespace System.Management.Automation.Language
{
    /// <summary>Completers are given one; ours look at the bound parameters instead.</summary>
    public class CommandAst;
}

namespace System.Management.Automation
{
    public enum CompletionResultType
    {
        Text,
        History,
        Command,
        ProviderItem,
        ProviderContainer,
        Property,
        Method,
        ParameterName,
        ParameterValue,
    }

    public class CompletionResult
    {
        public CompletionResult(string completionText, string listItemText, CompletionResultType resultType, string toolTip)
        {
            CompletionText = completionText;
            ListItemText = listItemText;
            ResultType = resultType;
            ToolTip = toolTip;
        }

        public string CompletionText { get; }

        public string ListItemText { get; }

        public CompletionResultType ResultType { get; }

        public string ToolTip { get; }
    }

    public interface IArgumentCompleter
    {
        IEnumerable<CompletionResult> CompleteArgument(
            string commandName, string parameterName, string wordToComplete, Language.CommandAst commandAst, System.Collections.IDictionary fakeBoundParameters);
    }
}
