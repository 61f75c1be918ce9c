using System;
using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>What one option defines by ids, for devices to refer to.</summary>
/// <param name="option">The option that defines, for errors.</param>
/// <param name="noun">What is defined, for errors.</param>
internal sealed class Backends<T>(string option, string noun)
{
    private readonly Dictionary<string, T> _byId = new(StringComparer.Ordinal);
    private readonly HashSet<string> _claimed = new(StringComparer.Ordinal);

    /// <summary>What nothing refers to, in the order in which it was given.</summary>
    public IEnumerable<(string Id, T Backend)> Unclaimed
    {
        get
        {
            foreach ((string id, T backend) in _byId)
            {
                if (!_claimed.Contains(id))
                {
                    yield return (id, backend);
                }
            }
        }
    }

    public void Add(string id, T backend)
    {
        if (!_byId.TryAdd(id, backend))
        {
            throw new UserErrorException("DuplicateId", $"The id '{ConfigurationLimits.Printable(id)}' is given to two of {option}; ids are unique.", $"{option} id");
        }
    }

    /// <summary>Gives a backend to one device, and to no other.</summary>
    /// <param name="id">The id that the device refers to.</param>
    /// <param name="where">Where it does, for the error.</param>
    public T Claim(string id, string where)
    {
        T backend = Find(id, where);
        return _claimed.Add(id)
            ? backend
            : throw new UserErrorException("BackendInUse", $"'{ConfigurationLimits.Printable(id)}' is referred to twice; a {noun} belongs to one.", where);
    }

    /// <param name="id">The id that a device refers to.</param>
    /// <param name="where">Where it does, for the error.</param>
    public T Find(string id, string where)
    {
        if (_byId.TryGetValue(id, out T? backend))
        {
            return backend;
        }

        List<string> known = new(_byId.Count);
        foreach (string other in _byId.Keys)
        {
            known.Add(ConfigurationLimits.Printable(other));
        }

        string allowed = known.Count == 0 ? $"(no {option} of this kind is given)" : string.Join(", ", known);
        throw new UserErrorException("UnknownBackend", $"No {noun} has the id '{ConfigurationLimits.Printable(id)}'; allowed is one of: {allowed}.", where);
    }
}
