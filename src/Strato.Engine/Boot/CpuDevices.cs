using System.Globalization;
using Strato.Engine.Devices;

namespace Strato.Engine.Boot;

/// <summary>Processor devices (ACPI 6.5, 8.4.1) of the CPUs that come and go, in AML, in front of <see cref="CpuHotplug"/>.</summary>
/// <remarks>
/// CPUs that are there at power-on stand in the MADT alone: they stay. _MAT is the CPU's MADT entry, enabled: Linux takes a CPU's APIC id from
/// there when it comes, and asks for _STA before.
/// </remarks>
internal static class CpuDevices
{
    /// <summary>Method that takes all events, for the generic event device.</summary>
    public const string TakeEvents = "\\_SB_.CPTE";

    /// <summary>Into \_SB, as the scope that is open.</summary>
    public static void Write(Aml aml, CpuTopology topology)
    {
        aml.IoRegister32("CPR0", Layout.CpuHotplug + CpuHotplug.EventOffset, "CPEV");
        aml.IoRegister32("CPR1", Layout.CpuHotplug + CpuHotplug.StatusOffset, "CPST");
        aml.IoRegister32("CPR2", Layout.CpuHotplug + CpuHotplug.EjectOffset, "CPEJ");
        aml.IoRegister32("CPR3", Layout.CpuHotplug + CpuHotplug.AnswerOffset, "CPOS");
        StatusMethod(aml);
        AnswerMethod(aml);
        for (int cpu = topology.Present; cpu < topology.Count; cpu++)
        {
            Device(aml, cpu, topology.ApicId(cpu));
        }

        NotifyMethod(aml, topology);
        EventsMethod(aml);
    }

    private static void Device(Aml aml, int cpu, int apicId)
    {
        int device = aml.BeginDevice(NameOf(cpu));
        aml.Name("_HID", "ACPI0007");
        aml.Name("_UID", (ulong)cpu);
        aml.Name("_MAT", [0, 8, (byte)cpu, (byte)apicId, 1, 0, 0, 0]); // 5.2.12.2, as in the MADT

        int status = aml.BeginMethod("_STA", 0, serialized: false);
        aml.Return();
        aml.Reference("CPSM");
        aml.Integer((ulong)cpu);
        aml.End(status);

        int eject = aml.BeginMethod("_EJ0", 1, serialized: false);
        aml.Store();
        aml.Integer((ulong)cpu);
        aml.Reference("CPEJ");
        aml.End(eject);

        int answer = aml.BeginMethod("_OST", 3, serialized: false);
        aml.Reference("CPOM");
        aml.Integer((ulong)cpu);
        aml.Argument(0);
        aml.Argument(1);
        aml.End(answer);
        aml.End(device);
    }

    /// <summary>_STA of a CPU; serialized, for selecting and reading are two.</summary>
    private static void StatusMethod(Aml aml)
    {
        int method = aml.BeginMethod("CPSM", 1, serialized: true);
        aml.Store();
        aml.Argument(0);
        aml.Reference("CPST");
        aml.StoreToLocal0("CPST");
        aml.Return();
        aml.Local0();
        aml.End(method);
    }

    /// <summary>_OST of a CPU: CPU | (event &amp; 0xFF) &lt;&lt; 8 | (status &amp; 0xFF) &lt;&lt; 16.</summary>
    private static void AnswerMethod(Aml aml)
    {
        int method = aml.BeginMethod("CPOM", 3, serialized: false);
        aml.Store();
        aml.Or();
        aml.Or();
        aml.Argument(0);
        Shifted(1, 8);
        aml.NoTarget();
        Shifted(2, 16);
        aml.NoTarget();
        aml.Reference("CPOS");
        aml.End(method);

        void Shifted(int argument, byte bits)
        {
            aml.ShiftLeft();
            aml.And();
            aml.Argument(argument);
            aml.Integer(0xFF);
            aml.NoTarget();
            aml.Integer(bits);
            aml.NoTarget();
        }
    }

    /// <summary>Notifies a CPU's device, by its number: AML has no array of devices.</summary>
    private static void NotifyMethod(Aml aml, CpuTopology topology)
    {
        int method = aml.BeginMethod("CPNM", 2, serialized: false);
        for (int cpu = topology.Present; cpu < topology.Count; cpu++)
        {
            int own = aml.BeginIf();
            aml.Equal();
            aml.Argument(0);
            aml.Integer((ulong)cpu);
            aml.Notify(NameOf(cpu));
            aml.Argument(1);
            aml.End(own);
        }

        aml.End(method);
    }

    private static void EventsMethod(Aml aml)
    {
        int method = aml.BeginMethod(TakeEvents[^4..], 0, serialized: true);
        aml.StoreToLocal0("CPEV");
        int loop = aml.BeginWhile();
        aml.Local0();
        aml.Reference("CPNM");
        aml.And();
        aml.Local0();
        aml.Integer(0xFF);
        aml.NoTarget();
        aml.ShiftRight();
        aml.Local0();
        aml.Integer(8);
        aml.NoTarget();
        aml.StoreToLocal0("CPEV");
        aml.End(loop);
        aml.End(method);
    }

    private static string NameOf(int cpu) => string.Create(CultureInfo.InvariantCulture, $"C{cpu:D3}");
}
