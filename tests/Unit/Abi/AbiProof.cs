using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Abi;

/// <summary>Proves C# constants and layouts against the C headers: one compile of <c>_Static_assert</c>s for a group of headers.</summary>
/// <remarks>
/// <code>
/// new AbiProof("linux/kvm.h")
///     .Equal("KVM_RUN", KvmAbi.KVM_RUN)
///     .Size&lt;KvmRegs&gt;("struct kvm_regs")
///     .Field("struct kvm_regs", "rax", (ref KvmRegs v) => ref v.Rax)
///     .Check();
/// </code>
/// A failure lists each line that is wrong with the value that C# has. Without gcc the test is skipped, and says so.
/// </remarks>
internal sealed partial class AbiProof(params string[] headers)
{
    private readonly List<(string Expression, string Value)> _claims = [];
    private readonly List<string> _prologue = [];

    /// <summary>How to reach a field, to find its offset.</summary>
    public delegate ref TField FieldOf<TStruct, TField>(ref TStruct value);

    /// <summary>A line that has to stand before the headers, such as a <c>#define</c>.</summary>
    public AbiProof Before(string line)
    {
        _prologue.Add(line);
        return this;
    }

    /// <summary>Claims that a C integer expression has a value.</summary>
    public AbiProof Equal(string expression, long value)
    {
        // The least long can't be written as a literal.
        _claims.Add((expression, value == long.MinValue ? "(-9223372036854775807LL - 1)" : value.ToString(CultureInfo.InvariantCulture) + "LL"));
        return this;
    }

    /// <summary>Claims that a C integer expression has a value that may exceed long.</summary>
    public AbiProof Equal(string expression, ulong value)
    {
        _claims.Add((expression, value.ToString(CultureInfo.InvariantCulture) + "ULL"));
        return this;
    }

    /// <summary>Claims the size of a structure.</summary>
    public AbiProof Size<T>(string type)
        where T : unmanaged => Equal($"sizeof({type})", Unsafe.SizeOf<T>());

    /// <summary>Claims a field's offset and size in a structure: <c>Field("struct iovec", "iov_len", (ref iovec v) => ref v.iov_len)</c>.</summary>
    public AbiProof Field<TStruct, TField>(string type, string field, FieldOf<TStruct, TField> access)
        where TStruct : unmanaged
    {
        TStruct value = default;
        ref TField place = ref access(ref value);
        nint offset = Unsafe.ByteOffset(ref Unsafe.As<TStruct, byte>(ref value), ref Unsafe.As<TField, byte>(ref place));
        return Equal($"offsetof({type}, {field})", offset).Equal($"sizeof((({type} *)0)->{field})", Unsafe.SizeOf<TField>());
    }

    /// <summary>Claims only a field's offset, where C# and C divide the bytes differently.</summary>
    public AbiProof Offset(string type, string field, long offset) => Equal($"offsetof({type}, {field})", offset);

    /// <summary>Compiles all claims; fails with those that are wrong.</summary>
    public void Check()
    {
        IReadOnlyList<string> wrong = FindWrong();
        Assert.True(wrong.Count == 0, $"the C headers disagree:\n  {string.Join("\n  ", wrong)}");
    }

    /// <summary>The claims that the headers disprove, or the compiler's own complaint.</summary>
    public IReadOnlyList<string> FindWrong()
    {
        const int firstLine = 1000;
        StringBuilder source = new();
        foreach (string line in _prologue)
        {
            source.AppendLine(line);
        }

        source.AppendLine("#include <stddef.h>");
        foreach (string header in headers)
        {
            source.AppendLine(CultureInfo.InvariantCulture, $"#include <{header}>");
        }

        // Line numbers lead from a complaint back to its claim.
        source.AppendLine(CultureInfo.InvariantCulture, $"#line {firstLine} \"claims\"");
        foreach ((string expression, string value) in _claims)
        {
            source.AppendLine(CultureInfo.InvariantCulture, $"_Static_assert(({expression}) == ({value}), \"wrong\");");
        }

        string complaint = Compile(source.ToString());
        List<string> wrong = [];

        // A claim may be complained of more than once; the first says why.
        foreach (Match match in ClaimLine().Matches(complaint).DistinctBy(match => match.Groups["line"].Value, StringComparer.Ordinal))
        {
            (string expression, string value) = _claims[int.Parse(match.Groups["line"].Value, CultureInfo.InvariantCulture) - firstLine];
            wrong.Add($"{expression} isn't {value}: {match.Groups["why"].Value}");
        }

        if (wrong.Count == 0 && complaint.Length > 0)
        {
            wrong.Add(complaint);
        }

        return wrong;
    }

    private static string Compile(string source)
    {
        using TemporaryFile file = new();
        File.WriteAllText(file.Path, source);
        ProcessStartInfo start = new("gcc") { RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in new[] { "-std=gnu11", "-fsyntax-only", "-fmax-errors=0", "-x", "c", file.Path })
        {
            start.ArgumentList.Add(argument);
        }

        Process gcc;
        try
        {
            gcc = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("gcc isn't installed, so the C headers can't be asked");
            throw;
        }

        using (gcc)
        {
            string complaint = gcc.StandardError.ReadToEnd();
            gcc.WaitForExit();
            return gcc.ExitCode == 0 ? "" : complaint;
        }
    }

    [GeneratedRegex(@"^claims:(?<line>\d+):\d+: error: (?<why>.*)$", RegexOptions.Multiline)]
    private static partial Regex ClaimLine();
}
