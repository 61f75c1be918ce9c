using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using Strato.Engine.Security;
using Xunit;

namespace Strato.Tests.Unit.Security;

/// <summary>docs/security.md lists what the filters allow. STRATO_WRITE_DOCS=1 writes the lists into it.</summary>
public class SeccompDocumentTests
{
    private const string Begin = "<!-- seccomp: SeccompDocumentTests writes this -->\n";
    private const string End = "<!-- /seccomp -->\n";

    private static readonly ThreadKinds[] Kinds = [ThreadKinds.Main, ThreadKinds.Vcpu, ThreadKinds.IoThread, ThreadKinds.Worker];

    [Fact]
    public void TheDocumentListsWhatIsAllowed()
    {
        string path = Path.Combine(FloorPlanTests.Engine, "..", "..", "docs", "security.md");
        string text = File.ReadAllText(path);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        int end = text.IndexOf(End, StringComparison.Ordinal);
        string lists = Lists();
        if (Environment.GetEnvironmentVariable("STRATO_WRITE_DOCS") == "1")
        {
            File.WriteAllText(path, text[..begin] + lists + text[end..]);
            return;
        }

        Assert.Equal(lists, text[begin..end]);
    }

    private static string Lists()
    {
        SeccompRule[] all = SeccompRules.All(0);
        StringBuilder text = new();
        string counts = string.Join(", ", Kinds.Select(kind => $"{Name(kind)} {Count(kind)}"));
        text.Append(CultureInfo.InvariantCulture, $"Calls by kind of thread: {counts}.\n\n| call | main | vCPU | iothread | worker | arguments |\n|---|---|---|---|---|---|\n");
        foreach (SeccompRule rule in all.Where(rule => rule.IsAllowed).OrderBy(rule => rule.Name, StringComparer.Ordinal))
        {
            string marks = string.Join(" | ", Kinds.Select(kind => rule.IsFor(kind) ? "✓" : ""));
            text.Append(CultureInfo.InvariantCulture, $"| {rule.Name} | {marks} | {rule.Meaning} |\n");
        }

        text.Append("\nThese fail instead, with an error number, for who makes them can do without:\n\n| call | error | threads | what stands in for it |\n|---|---|---|---|\n");
        foreach (SeccompRule rule in all.Where(rule => !rule.IsAllowed).OrderBy(rule => rule.Name, StringComparer.Ordinal))
        {
            string kinds = rule.Kinds == ThreadKinds.Every ? "all" : string.Join(", ", Kinds.Where(kind => (rule.Kinds & kind) != 0).Select(Name));
            text.Append(CultureInfo.InvariantCulture, $"| {rule.Name} | {rule.Errno} | {kinds} | {rule.Meaning} |\n");
        }

        return text.ToString();
    }

    private static int Count(ThreadKinds kind) =>
        SeccompRules.For(kind, SeccompRules.All(0)).Where(rule => rule.IsAllowed).Select(rule => rule.Name).Distinct(StringComparer.Ordinal).Count();

    private static string Name(ThreadKinds kind) => kind switch
    {
        ThreadKinds.Main => "main",
        ThreadKinds.Vcpu => "vCPU",
        ThreadKinds.IoThread => "iothread",
        _ => "worker",
    };
}
