using System;

namespace Strato.Engine.Boot;

/// <summary>The devices that the kernel can't find by itself, in AML.</summary>
internal static class Dsdt
{
    /// <summary>The DSDT's contents, after its header.</summary>
    /// <param name="slots">virtio-mmio slots in the order their devices shall be found.</param>
    /// <param name="hasSerial">Whether there is a COM1.</param>
    /// <param name="topology">Which CPUs may come and go.</param>
    public static Aml Build(ReadOnlySpan<int> slots, bool hasSerial, CpuTopology topology)
    {
        Aml aml = new();
        int scope = aml.BeginScope("\\_SB_");
        if (hasSerial)
        {
            Serial(aml);
        }

        for (int i = 0; i < slots.Length; i++)
        {
            Virtio(aml, i, slots[i]);
        }

        PowerButton(aml);
        Generation(aml);
        bool comesMore = topology.Present < topology.Count;
        if (comesMore)
        {
            CpuDevices.Write(aml, topology);
        }

        EventDevice(aml, comesMore);
        aml.End(scope);
        SoftOff(aml);
        return aml;
    }

    private static void Serial(Aml aml)
    {
        int device = aml.BeginDevice("COM1");
        aml.Name("_HID", Aml.EisaId("PNP0501"));
        aml.Name("_UID", 0);
        Resources resources = new(stackalloc byte[Resources.Room]);
        resources.Io(Layout.Com1, Layout.Com1Length);
        resources.EdgeInterrupt(Layout.Com1Gsi);
        aml.Name("_CRS", resources);
        aml.End(device);
    }

    /// <remarks>
    /// LNRO0005 is the id that Linux's virtio-mmio driver matches. Linux adds platform devices in the order of the
    /// namespace, so the first disk is vda. _CCA: the device's accesses are cache coherent.
    /// </remarks>
    private static void Virtio(Aml aml, int index, int slot)
    {
        int device = aml.BeginDevice($"VR{index:D2}");
        aml.Name("_HID", "LNRO0005");
        aml.Name("_UID", (ulong)index);
        aml.Name("_CCA", 1);
        Resources resources = new(stackalloc byte[Resources.Room]);
        resources.Memory32((uint)Layout.VirtioMmioBase(slot), (uint)Layout.VirtioMmioLength);
        resources.EdgeInterrupt(Layout.VirtioMmioGsi(slot));
        aml.Name("_CRS", resources);
        aml.End(device);
    }

    private static void PowerButton(Aml aml)
    {
        int device = aml.BeginDevice("PWRB");
        aml.Name("_HID", Aml.EisaId("PNP0C0C"));
        aml.Name("_UID", 0);
        aml.End(device);
    }

    /// <summary>The machine's generation id (Microsoft, "Virtual Machine Generation ID"): drivers find it by its _CID, and its address in two halves by ADDR.</summary>
    private static void Generation(Aml aml)
    {
        int device = aml.BeginDevice("VGEN");
        aml.Name("_HID", "STRA0001");
        aml.Name("_CID", "VM_Gen_Counter");
        aml.Name("_DDN", "VM_Gen_Counter");
        aml.Name("ADDR");
        int package = aml.BeginPackage(2);
        aml.Integer(Layout.GenerationId);
        aml.Integer(0);
        aml.End(package);
        aml.End(device);
    }

    /// <summary>The generic event device (5.6.9): reads which events came, and tells the devices they are for.</summary>
    private static void EventDevice(Aml aml, bool hasCpuEvents)
    {
        int device = aml.BeginDevice("GED_");
        aml.Name("_HID", "ACPI0013");
        aml.Name("_UID", 0);
        Resources resources = new(stackalloc byte[Resources.Room]);
        resources.LevelInterrupt(Layout.GedGsi);
        aml.Name("_CRS", resources);
        aml.IoRegister32("EVTR", Layout.Power + Layout.PowerGedEvents, "EVTS");

        // One read takes all events, and the interrupt with them: what comes while the method runs raises it once more.
        int method = aml.BeginMethod("_EVT", 1, serialized: true);
        aml.StoreToLocal0("EVTS");
        int button = aml.BeginIfLocal0Has(Layout.GedPowerButton);
        aml.Notify("\\_SB_.PWRB", 0x80); // 5.6.6: the button was pressed while the system was up
        aml.End(button);
        int generation = aml.BeginIfLocal0Has(Layout.GedGeneration);
        aml.Notify("\\_SB_.VGEN", 0x80); // the id's document: it has changed
        aml.End(generation);
        if (hasCpuEvents)
        {
            int cpus = aml.BeginIfLocal0Has(Layout.GedCpuHotplug);
            aml.Reference(CpuDevices.TakeEvents);
            aml.End(cpus);
        }

        aml.End(method);
        aml.End(device);
    }

    /// <summary>\_S5_ (7.4.2.6): what the FADT's SLEEP_CONTROL_REG takes as SLP_TYP to power off. All four elements, as some systems ask.</summary>
    private static void SoftOff(Aml aml)
    {
        aml.Name("\\_S5_");
        int package = aml.BeginPackage(4);
        aml.Integer(Layout.PowerSleepTypeS5);
        aml.Integer(0);
        aml.Integer(0);
        aml.Integer(0);
        aml.End(package);
    }
}
