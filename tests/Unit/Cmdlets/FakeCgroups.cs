using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Strato.Client.Linux;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>A tree of control groups in a folder, mounted at /cg: a group has the files that its parent's subtree_control gives it, and goes with them.</summary>
internal sealed class FakeCgroups : CgroupFiles, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("strato-cg-").FullName;
    private readonly CgroupFiles _before = Current;
    private readonly Dictionary<int, string> _moved = [];

    /// <param name="own">This process's group.</param>
    public FakeCgroups(string own)
    {
        Own = own;
        Make("", controllers: "cpuset cpu memory");
        string path = "";
        foreach (string part in own.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            path += "/" + part;
            Make(path, "cpu memory");
        }

        Current = this;
    }

    public string Own { get; set; }

    /// <summary>Groups that aren't this user's, as paths below /cg.</summary>
    public HashSet<string> Closed { get; } = [];

    /// <summary>Groups that have processes, and so give no controllers.</summary>
    public HashSet<string> Busy { get; } = [];

    public bool IsMounted { get; set; } = true;

    internal override string Mounts => IsMounted
        ? "22 1 0:21 / /proc rw - proc proc rw\n30 1 0:26 / /cg rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
        : "30 1 0:26 / /cg rw - cgroup cgroup rw,cpu\n";

    internal override string? GroupOf(int? pid) => $"1:cpu:/\n0::{(pid is { } number && _moved.TryGetValue(number, out string? group) ? group : Own)}\n";

    /// <summary>Groups that there are, as paths below /cg.</summary>
    public IEnumerable<string> Groups => Directory.EnumerateDirectories(_root, "*", SearchOption.AllDirectories).Select(path => path[_root.Length..]);

    /// <summary>A group's file; null where it isn't there.</summary>
    public string? this[string path]
    {
        get => File.Exists(_root + path) ? File.ReadAllText(_root + path) : null;
        set => File.WriteAllText(_root + path, value);
    }

    /// <summary>Processes of a group.</summary>
    public IEnumerable<int> ProcessesOf(string group) => _moved.Where(pair => pair.Value == group && Procfs.TryReadStat(pair.Key) is { State: not 'Z' }).Select(pair => pair.Key);

    internal override string? Read(string path) => this[Below(path)];

    internal override bool MayFill(string folder) => !Closed.Contains(Below(folder));

    internal override int Write(string path, string text)
    {
        string below = Below(path);
        string group = below[..below.LastIndexOf('/')];
        if (this[below] is null)
        {
            return Errno.ENOENT;
        }

        if (Closed.Contains(group))
        {
            return Errno.EACCES;
        }

        switch (below[group.Length..])
        {
            case "/cgroup.procs":
                _moved[int.Parse(text, System.Globalization.CultureInfo.InvariantCulture)] = group;
                break;
            case "/cgroup.subtree_control" when Busy.Contains(group):
                return Errno.EBUSY;
            case "/cgroup.subtree_control":
                this[below] += " " + text[1..];
                break;
            default:
                this[below] = text;
                break;
        }

        return 0;
    }

    internal override int MakeFolder(string path)
    {
        string below = Below(path);
        if (Directory.Exists(_root + below))
        {
            return Errno.EEXIST;
        }

        Make(below, this[below[..below.LastIndexOf('/')] + "/cgroup.subtree_control"]!);
        return 0;
    }

    internal override int RemoveFolder(string path)
    {
        string below = Below(path);
        if (!Directory.Exists(_root + below))
        {
            return Errno.ENOENT;
        }

        if (ProcessesOf(below).Any())
        {
            return Errno.EBUSY;
        }

        Directory.Delete(_root + below, recursive: true);
        return 0;
    }

    public void Dispose()
    {
        Current = _before;
        Directory.Delete(_root, recursive: true);
    }

    private static string Below(string path) => path["/cg".Length..];

    private void Make(string group, string controllers)
    {
        Directory.CreateDirectory(_root + group);
        this[group + "/cgroup.controllers"] = controllers + "\n";
        this[group + "/cgroup.subtree_control"] = group.Length == 0 ? controllers : "";
        this[group + "/cgroup.procs"] = "";
        if (controllers.Split(' ').Contains("cpu"))
        {
            this[group + "/cpu.weight"] = "100\n";
            this[group + "/cpu.max"] = "max 100000\n";
        }
    }
}
