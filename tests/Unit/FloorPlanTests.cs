using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace Strato.Tests.Unit;

/// <summary>Keeps the engine's floor plan (docs/architecture.md): a room uses rooms below it, never above; files stay small; unsafe stays below.</summary>
public partial class FloorPlanTests
{
    private const int MostLines = 600;

    /// <summary>Rooms by floor, lowest first; rooms of one floor may use each other only where a pair below says so.</summary>
    private static readonly string[][] Floors =
    [
        ["Diagnostics", "Linux"],
        ["Kvm", "Security"],
        ["Memory"],
        ["Bus"],
        ["Block", "Net", "Chardev"],
        ["Virtio", "Devices"],
        ["Boot"],
        ["Machine"],
        ["Snapshot"],
        ["Qmp"],
        ["Cli"],
    ];

    private static readonly HashSet<(string From, string To)> SameFloor =
    [
        ("Diagnostics", "Linux"),
        ("Linux", "Diagnostics"),
        ("Security", "Kvm"),
    ];

    private static readonly string[] UnsafeRooms = ["Linux", "Kvm", "Memory", "Virtio/Queue"];

    internal static string Engine => Path.Combine(Root(), "src", "Strato.Engine");

    [Fact]
    public void EveryRoomUsesOnlyRoomsBelowIt()
    {
        List<string> faults = [];
        int uses = 0;
        foreach (string file in Sources(Engine))
        {
            string room = Path.GetRelativePath(Engine, file).Split('/')[0];
            if (room.EndsWith(".cs", StringComparison.Ordinal))
            {
                continue;
            }

            int floor = FloorOf(room);
            if (floor < 0)
            {
                faults.Add($"{file}: the room {room} is not on the floor plan");
                continue;
            }

            foreach (Match use in UsingLine().Matches(File.ReadAllText(file)))
            {
                string other = use.Groups[1].Value;
                uses++;
                bool allowed = other == room || FloorOf(other) < floor || SameFloor.Contains((room, other));
                if (!allowed)
                {
                    faults.Add($"{Path.GetRelativePath(Root(), file)}: {room} may not use {other}");
                }
            }
        }

        Assert.Empty(faults);
        Assert.True(uses > 20, "the test found hardly any using line: does it still look in the right place?");
    }

    [Fact]
    public void NoFileIsLong() =>
        Assert.DoesNotContain(Sources(Path.Combine(Root(), "src")), f => File.ReadLines(f).Count() > MostLines);

    [Fact]
    public void UnsafeCodeStaysInItsRooms()
    {
        IEnumerable<string> strays = Sources(Engine)
            .Where(f => UnsafeWord().IsMatch(File.ReadAllText(f)))
            .Select(f => Path.GetRelativePath(Engine, f))
            .Where(f => !UnsafeRooms.Any(room => f.StartsWith(room + "/", StringComparison.Ordinal)));
        Assert.Empty(strays);
    }

    [Fact]
    public void TheEngineUsesNoTasksNoLinqAndNoConsole()
    {
        IEnumerable<string> strays = Sources(Engine)
            .Where(f => Forbidden().IsMatch(File.ReadAllText(f)))
            .Select(f => Path.GetRelativePath(Engine, f));
        Assert.Empty(strays);
    }

    private static int FloorOf(string room) => Array.FindIndex(Floors, floor => floor.Contains(room));

    private static IEnumerable<string> Sources(string folder) =>
        Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal));

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));

    [GeneratedRegex(@"^using (?:static )?(?:\w+ = )?Strato\.Engine\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"^[^/\n]*\bunsafe\b(?! *=)", RegexOptions.Multiline)]
    private static partial Regex UnsafeWord();

    [GeneratedRegex(@"^using System\.(Linq|Threading\.Tasks)|\basync\b.*\(|\bConsole\.", RegexOptions.Multiline)]
    private static partial Regex Forbidden();
}
