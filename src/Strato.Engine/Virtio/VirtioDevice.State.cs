using System;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>What a snapshot keeps of a device: all that the driver said and counts on.</summary>
/// <remarks>The host's side is another one after a restore: an image of the same size, a tap, a socket, as the user names them then.</remarks>
internal abstract partial class VirtioDevice
{
    private const int MostQueues = 128;

    private bool _newConfiguration;

    /// <summary>Why the device can't be part of a snapshot; null when it can.</summary>
    public virtual string? CannotBeSaved => null;

    /// <summary>Whether requests that were taken and not answered stay with the device; else they are taken anew from the queue.</summary>
    protected virtual bool KeepsRequests => false;

    /// <summary>Features that a driver which took them in the snapshot keeps, whether the device offers them to a driver that comes or not.</summary>
    protected virtual ulong ServedFeatures => 0;

    /// <summary>Writes the device. Quiesced.</summary>
    public void Save(StateWriter state)
    {
        lock (_gate)
        {
            state.U32(Type);
            state.U64(Features);
            state.Bool(_running);
            state.Bool(_needsReset);
            state.U32(ConfigurationGeneration);
            lock (_configurationLock)
            {
                state.Bytes(_configuration);
            }

            state.U32((uint)_queues.Length);
            foreach (VirtQueue queue in _queues)
            {
                state.U32((uint)queue.MaximumSize);
                queue.Save(state, KeepsRequests);
            }

            OnSave(state);
        }
    }

    /// <summary>Takes what <see cref="Save"/> wrote. Plugged in, and before anything runs; the device is quiesced after it.</summary>
    /// <exception cref="UserErrorException">SnapshotMismatch: the device isn't as it was; SnapshotDamaged.</exception>
    public void Restore(StateReader state)
    {
        lock (_gate)
        {
            _paused = true;
            uint type = state.U32();
            if (type != Type)
            {
                throw Mismatch($"it is of another kind (virtio {Type}) than the snapshot's (virtio {type})");
            }

            Features = state.U64();
            _running = state.Bool();
            _needsReset = state.Bool();
            if (Features == 0 ? _running : (Features & VirtioFeature.Version1) == 0)
            {
                throw state.Damaged($"a driver with the features 0x{Features:x} can't be");
            }

            uint generation = state.U32();
            ReadOnlySpan<byte> configuration = state.Bytes();

            // First by options that users know; what they differ in, features and configuration may tell as well, and less clearly.
            if (configuration.Length == _configuration.Length && Difference(configuration) is { } difference)
            {
                throw Mismatch(difference);
            }

            RestoreQueues(state);
            CheckFeatures();
            RestoreConfiguration(configuration, generation);
            OnRestore(state);
            if (_running)
            {
                OnStart();
            }
        }
    }

    /// <summary>What a device that isn't as in the snapshot is refused by.</summary>
    /// <param name="what">How it differs.</param>
    protected UserErrorException Mismatch(string what) =>
        new("SnapshotMismatch", $"The device '{ConfigurationLimits.Printable(Id)}' doesn't fit the snapshot: {what}.", "-incoming");

    /// <summary>Writes what is this kind's own. Quiesced, under the gate.</summary>
    protected virtual void OnSave(StateWriter state)
    {
    }

    /// <summary>Takes what <see cref="OnSave"/> wrote; features and queues are there. Under the gate; what is to be served waits for <see cref="Resume"/>.</summary>
    /// <exception cref="UserErrorException">SnapshotMismatch, SnapshotDamaged.</exception>
    protected virtual void OnRestore(StateReader state)
    {
    }

    /// <summary>In which of its options it differs from the saved one, by its configuration: what a driver can't take for another; null when it doesn't.</summary>
    /// <param name="saved">What the driver was told.</param>
    protected virtual string? Difference(ReadOnlySpan<byte> saved) => null;

    /// <summary>Makes the configuration space what it is for the restored guest: of what the driver was told, and of the device as it is now.</summary>
    /// <param name="saved">What the driver was told.</param>
    /// <param name="now">The device's, to be changed in place.</param>
    /// <exception cref="UserErrorException">SnapshotMismatch: they differ in what can't change for a driver.</exception>
    protected virtual void MergeConfiguration(ReadOnlySpan<byte> saved, Span<byte> now)
    {
        if (!saved.SequenceEqual(now))
        {
            throw Mismatch("what it tells the driver of itself is another");
        }
    }

    private void CheckFeatures()
    {
        ulong missing = Features & ~(OfferedFeatures | ServedFeatures);
        if (missing != 0)
        {
            throw Mismatch($"the guest's driver uses features that it doesn't offer here ({FeatureNames.Of(Type, missing)})");
        }

        if (Features != 0 && !Fits(Features))
        {
            throw Mismatch($"it can't do the features that the guest's driver uses together ({FeatureNames.Of(Type, Features)})");
        }
    }

    private void RestoreConfiguration(ReadOnlySpan<byte> saved, uint generation)
    {
        if (saved.Length != _configuration.Length)
        {
            throw Mismatch($"its configuration has {_configuration.Length} bytes, and had {saved.Length}");
        }

        MergeConfiguration(saved, _configuration);
        _newConfiguration = !saved.SequenceEqual(_configuration);
        _generation = (int)(generation + (_newConfiguration ? 1u : 0));
        _seenGeneration = (int)generation;
    }

    private void RestoreQueues(StateReader state)
    {
        int count = state.Count(MostQueues);
        if (count != _queues.Length)
        {
            throw Mismatch($"it has {_queues.Length} queues, and had {count}");
        }

        foreach (VirtQueue queue in _queues)
        {
            uint most = state.U32();
            if (most != queue.MaximumSize)
            {
                throw Mismatch($"it has queues of {queue.MaximumSize}, and had one of {most}");
            }

            queue.Restore(state, (Features & VirtioFeature.EventIndex) != 0, (Features & VirtioFeature.IndirectDescriptors) != 0, KeepsRequests);
        }
    }

    /// <summary>The driver looks at what has changed since the snapshot. Under the gate.</summary>
    private void TellRestored()
    {
        if (_newConfiguration)
        {
            _newConfiguration = false;
            _interrupts?.SignalConfiguration();
        }
    }
}
