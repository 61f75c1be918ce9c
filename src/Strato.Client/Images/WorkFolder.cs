using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client.Images;

/// <summary>A folder for what is being made, gone when that is over. What a maker that was killed has left goes when the next one comes.</summary>
/// <remarks>A lock in it tells a living maker from a dead one.</remarks>
internal sealed class WorkFolder : IDisposable
{
    internal const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const string Prefix = ".tmp-";
    private const string Lock = "lock";

    /// <summary>Another may place something of the same name again and again, but hardly so often.</summary>
    private const int Attempts = 5;

    /// <summary>What a program may take to tidy up after itself.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(20);

    private readonly FileLock? _lock;
    private readonly CancellationToken _token;
    private readonly List<ChildWatch> _left = [];

    private WorkFolder(string path, FileLock? held, CancellationToken token)
    {
        Path = path;
        _lock = held;
        _token = token;
    }

    internal string Path { get; }

    /// <param name="parent">The folder that it is made in.</param>
    /// <param name="token">Of the work; where that was cancelled the folder is removed in the background.</param>
    internal static WorkFolder Make(string parent, CancellationToken token)
    {
        RemoveLeftovers(parent);
        while (true)
        {
            string path = System.IO.Path.Combine(parent, Prefix + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(path, OwnerOnly);
            FileLock? held = FileLock.TryTake(System.IO.Path.Combine(path, Lock), Deadline.After(TimeSpan.Zero), CancellationToken.None);

            // Another may have taken it for a leftover before it was locked; and a file system may have no locks.
            if (held is not null || Directory.Exists(path))
            {
                return new WorkFolder(path, held, token);
            }
        }
    }

    internal string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>A folder in it.</summary>
    internal string MakeFolder(string name) => Directory.CreateDirectory(PathOf(name), OwnerOnly).FullName;

    /// <summary>Leaves it to this to see that a program ends which was asked to; the folder stays until then.</summary>
    internal void Leave(ChildWatch child) => _left.Add(child);

    /// <summary>Gives a folder that was made in this one its place. What is there and is no use gives way; what another was faster to make stays.</summary>
    /// <param name="made">The folder.</param>
    /// <param name="place">Its path from now on, on the same file system.</param>
    /// <param name="isGood">Whether what is there can be used.</param>
    internal void Place(string made, string place, Func<bool> isGood)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                Directory.Move(made, place);
                return;
            }
            catch (IOException) when (isGood())
            {
                return;
            }
            catch (IOException) when (attempt < Attempts && Directory.Exists(place))
            {
                try
                {
                    Directory.Move(place, PathOf($"useless{attempt}"));
                }
                catch (DirectoryNotFoundException)
                {
                    // Another has removed it.
                }
            }
        }
    }

    public void Dispose()
    {
        if (!_token.IsCancellationRequested)
        {
            End();
            return;
        }

        // A tree of many files takes its time, and Ctrl-C is to be quick. Where this process ends before, the next maker removes the rest.
        new Thread(End) { IsBackground = true, Name = "strato-remove" }.Start();
    }

    private void End()
    {
        _left.ForEach(static child => child.End(Grace));
        Delete(Path);
        _lock?.Dispose();
    }

    /// <summary>Removes a folder; silent if it can't, for a later maker tries again.</summary>
    internal static void Delete(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private static void RemoveLeftovers(string parent)
    {
        foreach (string folder in Directory.EnumerateDirectories(parent, Prefix + "*"))
        {
            if (!Guid.TryParseExact(System.IO.Path.GetFileName(folder)[Prefix.Length..], "N", out _))
            {
                continue;
            }

            try
            {
                using FileLock? dead = FileLock.TryTake(System.IO.Path.Combine(folder, Lock), Deadline.After(TimeSpan.Zero), CancellationToken.None);
                if (dead is not null)
                {
                    Delete(folder);
                }
            }
            catch (StratoException)
            {
                // Another user's.
            }
        }
    }
}
