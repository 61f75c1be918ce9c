using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>The modules that a guest needs, each behind those that it depends on.</summary>
/// <remarks>A module names what it depends on (.modinfo, <c>depends=</c>), so no index has to be there, which only an installed kernel has.</remarks>
internal sealed class KernelModules
{
    /// <summary>Without these no root disk can be mounted.</summary>
    private static readonly string[] Needed = ["virtio_mmio", "virtio_blk", "ext4"];

    // A name that a kernel has built in, or hasn't at all, is passed over. crc32c is asked for by ext4 through the kernel's own list of ciphers.
    private static readonly string[] Wanted = ["crc32c_generic", .. Needed, "virtio_console", "virtio_net", "af_packet", "virtio_rng", "virtio_balloon", "button", "evdev"];

    private readonly Dictionary<string, string> _files = [];
    private readonly HashSet<string> _builtIn = [];
    private readonly string _folder;
    private readonly string _work;
    private readonly CancellationToken _token;

    private KernelModules(string folder, string work, CancellationToken token)
    {
        _folder = folder;
        _work = work;
        _token = token;
    }

    /// <param name="folder">lib/modules/RELEASE.</param>
    /// <param name="work">A folder of our own.</param>
    /// <param name="token">Ends it.</param>
    /// <returns>In the order in which they are loaded: names and contents.</returns>
    /// <exception cref="StratoException">ModulesNotFound; ProgramNotFound where what packed them isn't there.</exception>
    internal static List<(string Name, byte[] Content)> Collect(string folder, string work, CancellationToken token)
    {
        KernelModules modules = new(folder, work, token);
        modules.Index();
        List<(string, byte[])> loaded = [];
        HashSet<string> seen = [];
        foreach (string name in Wanted)
        {
            modules.Load(name, loaded, seen);
        }

        return loaded;
    }

    private void Index()
    {
        try
        {
            foreach (string path in Directory.EnumerateFiles(_folder, "*.ko*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }))
            {
                _files.TryAdd(NameOf(path), path);
            }

            string builtIn = Path.Combine(_folder, "modules.builtin");
            foreach (string line in File.Exists(builtIn) ? File.ReadLines(builtIn) : [])
            {
                _builtIn.Add(NameOf(line));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotFound($"can't be read: {e.Message}");
        }

        foreach (string name in Needed)
        {
            if (!_files.ContainsKey(name) && !_builtIn.Contains(name))
            {
                throw NotFound($"has no module {name}, which a guest needs");
            }
        }
    }

    private void Load(string name, List<(string, byte[])> loaded, HashSet<string> seen)
    {
        if (!seen.Add(name) || !_files.TryGetValue(name, out string? path))
        {
            return;
        }

        byte[] content = File.ReadAllBytes(Compression.Unpack(path, Path.Combine(_work, name + ".ko"), _token));
        foreach (string other in Depends(content))
        {
            Load(other, loaded, seen);
        }

        loaded.Add((name, content));
    }

    /// <summary>What a module says it depends on.</summary>
    internal static string[] Depends(ReadOnlySpan<byte> module)
    {
        ReadOnlySpan<byte> key = "\0depends="u8;
        int at = module.IndexOf(key);
        if (at < 0)
        {
            return [];
        }

        ReadOnlySpan<byte> rest = module[(at + key.Length)..];
        int end = rest.IndexOf((byte)0);
        string[] names = Encoding.ASCII.GetString(end < 0 ? rest : rest[..end]).Split(',', StringSplitOptions.RemoveEmptyEntries);
        return Array.ConvertAll(names, Normal);
    }

    private static string NameOf(string path)
    {
        string name = Path.GetFileName(path);
        int dot = name.IndexOf(".ko", StringComparison.Ordinal);
        return Normal(dot < 0 ? name : name[..dot]);
    }

    // A module's file may be named with - or _, and so may those that it depends on.
    private static string Normal(string name) => name.Replace('-', '_');

    private StratoException NotFound(string fault) => new(StratoErrorKind.NotFound, "ModulesNotFound", $"The folder of kernel modules '{_folder}' {fault}.")
    {
        Where = "-ModulePath",
        RecommendedAction = "Give the folder lib/modules/RELEASE of the kernel by -ModulePath; an empty one ('') says that the kernel has its virtio and ext4 drivers built in.",
    };
}
