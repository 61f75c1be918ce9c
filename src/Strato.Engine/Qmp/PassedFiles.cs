using System;
using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Descriptors that a client has passed over its connection (SCM_RIGHTS), first without a name, then by that of <c>getfd</c>. They end with the connection.</summary>
internal sealed class PassedFiles : IDisposable
{
    /// <summary>Most of both kinds.</summary>
    public const int Maximum = 64;

    private readonly Queue<FileDescriptor> _unnamed = new();
    private readonly Dictionary<string, FileDescriptor> _named = new(StringComparer.Ordinal);

    /// <summary>How many have no name yet.</summary>
    public int Unnamed => _unnamed.Count;

    /// <summary>Takes one that came; false, with it closed, when there are too many.</summary>
    public bool Add(int fd)
    {
        FileDescriptor file = new(fd);
        bool room = _unnamed.Count + _named.Count < Maximum;
        if (room)
        {
            _unnamed.Enqueue(file);
        }
        else
        {
            file.Dispose();
        }

        return room;
    }

    /// <summary>Gives the one that came first of those without a name this name; what had it before is closed.</summary>
    /// <exception cref="QmpException">None came, or the name can't be one.</exception>
    public void Name(string name)
    {
        if (name.Length == 0 || char.IsAsciiDigit(name[0]))
        {
            throw new QmpException("Parameter 'fdname' must be a name not starting with a digit");
        }

        FileDescriptor file = Take();
        _ = Close(name);
        _named.Add(name, file);
    }

    /// <summary>Gives away the one that came first of those without a name.</summary>
    /// <exception cref="QmpException">None came.</exception>
    public FileDescriptor Take() =>
        _unnamed.TryDequeue(out FileDescriptor? file) ? file : throw new QmpException("No file descriptor supplied via SCM_RIGHTS");

    /// <summary>Closes the one that came first of those without a name, if there is one.</summary>
    public void DropFirst()
    {
        if (_unnamed.TryDequeue(out FileDescriptor? file))
        {
            file.Dispose();
        }
    }

    /// <summary>Closes one; false when none has the name.</summary>
    public bool Close(string name)
    {
        bool known = _named.Remove(name, out FileDescriptor? file);
        file?.Dispose();
        return known;
    }

    /// <summary>The number of one, which stays here until <see cref="Give"/>.</summary>
    /// <exception cref="QmpException">None has the name.</exception>
    public int Find(string name) => _named.TryGetValue(name, out FileDescriptor? file)
        ? file.Value
        : throw new QmpException($"File descriptor named '{ConfigurationLimits.Printable(name)}' has not been found; getfd on the same connection names one");

    /// <summary>Gives one away.</summary>
    public void Give(string name)
    {
        _ = _named.Remove(name, out FileDescriptor? file);
        _ = file?.Detach();
    }

    public void Dispose()
    {
        while (_unnamed.TryDequeue(out FileDescriptor? file))
        {
            file.Dispose();
        }

        foreach (FileDescriptor file in _named.Values)
        {
            file.Dispose();
        }

        _named.Clear();
    }
}
