using System;
using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>A thread with an event loop of its own, which serves the devices that name it.</summary>
/// <param name="Id">The user's id, 1 to 255 characters, unique among iothreads; the thread bears its first 15 bytes.</param>
/// <param name="Where">Where the id was given, for errors: <c>-iothread id</c> or <c>iothread[1].id</c>.</param>
public sealed record IoThreadConfiguration(string Id, string Where = "iothread.id")
{
    /// <summary>Most iothreads of a machine.</summary>
    public const int Maximum = 8;

    /// <exception cref="UserErrorException">TooManyIoThreads, InvalidId, DuplicateId.</exception>
    public static void CheckAll(IReadOnlyList<IoThreadConfiguration> threads)
    {
        if (threads.Count > Maximum)
        {
            throw new UserErrorException("TooManyIoThreads", $"{threads.Count} iothreads are given; a machine has 0 to {Maximum}.", threads[Maximum].Where);
        }

        HashSet<string> ids = new(StringComparer.Ordinal);
        foreach (IoThreadConfiguration thread in threads)
        {
            ConfigurationLimits.CheckId(thread.Id, thread.Where);
            if (!ids.Add(thread.Id))
            {
                throw new UserErrorException("DuplicateId", $"The id '{ConfigurationLimits.Printable(thread.Id)}' is used by two iothreads; ids are unique.", thread.Where);
            }
        }
    }

    /// <summary>Whether the iothread of each drive and device is there.</summary>
    /// <exception cref="UserErrorException">UnknownIoThread.</exception>
    public static void CheckUsers(IReadOnlyList<IoThreadConfiguration> threads, IReadOnlyList<DriveConfiguration> drives, IReadOnlyList<DeviceConfiguration> devices)
    {
        foreach (DriveConfiguration drive in drives)
        {
            CheckUser(threads, drive.IoThread, $"drive '{ConfigurationLimits.Printable(drive.Id)}'", drive.WhereIs("iothread", "iothread"));
        }

        foreach (DeviceConfiguration device in devices)
        {
            CheckUser(threads, device.IoThread, $"{device.Kind} device '{ConfigurationLimits.Printable(device.Name)}'", device.WhereIs("iothread", "iothread"));
        }
    }

    private static void CheckUser(IReadOnlyList<IoThreadConfiguration> threads, string? wanted, string user, string where)
    {
        bool found = wanted is null;
        List<string> ids = [];
        foreach (IoThreadConfiguration thread in threads)
        {
            found |= thread.Id == wanted;
            ids.Add(ConfigurationLimits.Printable(thread.Id));
        }

        if (!found)
        {
            string allowed = ids.Count == 0 ? "none is given, and -iothread id=ID makes one" : $"allowed: {string.Join(", ", ids)}";
            throw new UserErrorException("UnknownIoThread", $"The {user} names the iothread '{ConfigurationLimits.Printable(wanted!)}', which isn't there; {allowed}.", where);
        }
    }
}
