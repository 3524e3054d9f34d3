// Grafana's schema as it is in JSON: enumerations are their words, and each kind of panel has its own options.
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfig, Panel, RowPanel, VariableModel } from "@grafana/schema";
import type * as barchart from "@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen";
import type * as bargauge from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as geomap from "@grafana/schema/dist/esm/raw/composable/geomap/panelcfg/x/GeomapPanelCfg_types.gen";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as piechart from "@grafana/schema/dist/esm/raw/composable/piechart/panelcfg/x/PieChartPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as states from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as text from "@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Some<T> = T extends object ? { [K in keyof T]?: Some<T[K]> } : T;

// What the plug-ins of the data sources add: the schema leaves it to them.
type Flux = Plain<DataQuery> & { query: string };
type InfluxQL = Flux & { rawQuery: true; resultFormat: "time_series" | "table"; alias: string };
type PromQL = Plain<DataQuery> & {
  expr: string;
  editorMode: "code";
  format: "time_series" | "table" | "heatmap";
  instant: boolean;
  range: boolean;
  legendFormat: string;
};
type Target = Flux | InfluxQL | PromQL;

type Kind<Name, Options, Custom> = Omit<Plain<Panel>, "type" | "options" | "fieldConfig" | "targets"> & {
  type: Name;
  options: Some<Plain<Options>>;
  targets: Target[];
  fieldConfig: {
    defaults: Omit<Plain<FieldConfig>, "custom"> & { custom: Some<Plain<Custom>> };
    overrides: NonNullable<Plain<Panel>["fieldConfig"]>["overrides"];
  };
};
type Question = Omit<Plain<Panel>, "type" | "options"> & { type: "text"; options: Some<Plain<text.Options>> };
type Drawn =
  | Question
  | Kind<"barchart", barchart.Options, barchart.FieldConfig>
  | Kind<"bargauge", bargauge.Options, {}>
  | Kind<"geomap", geomap.Options, {}>
  | Kind<"heatmap", heatmap.Options, heatmap.FieldConfig>
  | Kind<"piechart", piechart.Options, piechart.FieldConfig>
  | Kind<"stat", stat.Options, {}>
  | Kind<"state-timeline", states.Options, states.FieldConfig>
  | Kind<"table", table.Options, table.FieldConfig>
  | Kind<"timeseries", timeseries.Options, timeseries.FieldConfig>;
type Line = Omit<Plain<RowPanel>, "panels"> & { panels: Drawn[] };

type Variable = Plain<VariableModel> & { definition?: string };
type Moments = Omit<Plain<AnnotationQuery>, "target"> & {
  target: { refId: string; query: string } | { refId: string; expr: string; interval: string; range: boolean };
  mappings?: { text: { source: "field"; value: string } };
  expr?: string;
  titleFormat?: string;
  textFormat?: string;
};

export type Provisioned = Omit<Plain<Dashboard>, "panels" | "templating" | "annotations"> & {
  panels: (Drawn | Line)[];
  templating: { list: Variable[] };
  annotations: { list: Moments[] };
};
