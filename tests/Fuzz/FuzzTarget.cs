using System;
using System.Collections.Generic;

namespace Strato.Tests.Fuzz;

/// <summary>Something that takes bytes from where no trust is due.</summary>
public abstract class FuzzTarget : IDisposable
{
    /// <summary>Inputs to begin with: valid ones, that mutations lead deep from.</summary>
    public abstract IReadOnlyList<byte[]> Seeds { get; }

    /// <summary>Words that a mutation by bits would take long to find.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>Bytes that one input may make the collector give out.</summary>
    public virtual long AllocationLimit => 8 << 20;

    /// <summary>Takes one input, with nothing left of the one before.</summary>
    /// <returns>What came of it in a few words: inputs with a new outcome are mutated further.</returns>
    /// <exception cref="Protocol.UserErrorException">The input is refused, which is right.</exception>
    /// <exception cref="InvariantException">It did something that must not be.</exception>
    public abstract string Run(byte[] input);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back what the target holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Makes it a failure if something doesn't hold that has to.</summary>
    protected static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvariantException(what);
        }
    }
}

/// <summary>What a target promises doesn't hold.</summary>
public sealed class InvariantException(string message) : Exception(message);
