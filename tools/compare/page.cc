// The HTML page: plain SVG, no script, nothing loaded from elsewhere.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tools/compare/report.h"
#include "tools/train/heat_map.h"
#include "tools/train/markup.h"
#include "tools/train/progress.h"

namespace lk {
namespace {

// Okabe and Ito's colours, told apart by colour-blind eyes too; later rows change the dash.
constexpr const char* kColours[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                    "#56b4e9", "#d55e00", "#8a7a00", "#777777"};
const char* colour(size_t row) { return kColours[row % std::size(kColours)]; }
const char* dash(size_t row) {
  constexpr const char* kDashes[] = {"none", "6 3", "2 3", "8 3 2 3"};
  return kDashes[row / std::size(kColours) % std::size(kDashes)];
}

// An axis of a picture: values between low and high become places between from and to.
struct Axis {
  double low, high, from, to;
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

Axis axis(double low, double high, double from, double to) {
  const double room = std::max((high - low) * 0.06, std::abs(high) * 1e-3 + 1e-9);
  return {low - room, high + room, from, to};
}

// Round steps, about five.
std::vector<double> ticks(const Axis& a) {
  const double raw = (a.high - a.low) / 5, power = std::pow(10, std::floor(std::log10(raw)));
  const double unit = raw / power, step = power * (unit < 1.5   ? 1
                                                   : unit < 3.5 ? 2
                                                   : unit < 7.5 ? 5
                                                                : 10);
  std::vector<double> out;
  // + 0.0, since -0 would be written so.
  for (double t = std::ceil(a.low / step); t * step <= a.high; ++t) out.push_back(t * step + 0.0);
  return out;
}

constexpr double kWidth = 640, kHeight = 400, kLeft = 64, kRight = 16, kTop = 16, kBottom = 52;

std::string frame(const Axis& x, const Axis& y, bool log_x, const std::string& x_name,
                  const std::string& y_name) {
  std::string out;
  for (const double t : ticks(y))
    out += fmt::format(
        "<line class=g x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}'/><text x='{}' y='{:.1f}' "
        "text-anchor=end>{:.4g}</text>",
        kLeft, kWidth - kRight, y(t), y(t), kLeft - 6, y(t) + 4, t);
  std::vector<double> places;
  if (log_x)
    for (double p = std::ceil(x.low); p <= x.high; ++p) places.push_back(p);
  else
    places = ticks(x);
  for (const double t : places)
    out += fmt::format(
        "<line class=g x1='{:.1f}' x2='{:.1f}' y1='{}' y2='{}'/><text x='{:.1f}' y='{}' "
        "text-anchor=middle>{}</text>",
        x(t), x(t), kTop, kHeight - kBottom, x(t), kHeight - kBottom + 18,
        log_x ? fmt::format("10<tspan dy=-5 font-size=9>{}</tspan>", t) : fmt::format("{:.6g}", t));
  return out + fmt::format(
                   "<text x='{}' y='{}' text-anchor=middle>{}</text><text class=v x='{}' y='{}' "
                   "transform='rotate(-90 14 {})' text-anchor=middle>{}</text>",
                   (kLeft + kWidth - kRight) / 2, kHeight - 10, escape_markup(x_name), 14,
                   kHeight / 2, kHeight / 2, escape_markup(y_name));
}

std::string svg(const std::string& inside) {
  return fmt::format("<svg viewBox='0 0 {} {}' role=img>{}</svg>\n", kWidth, kHeight, inside);
}

// The metric against the trained parameters; a bar is one standard deviation to each side.
std::string scatter(const ComparePlan& plan, const std::vector<Row>& rows) {
  double x0 = 1e300, x1 = -1e300, y0 = 1e300, y1 = -1e300;
  for (const Row& r : rows) {
    if (r.scores.empty() || r.trained < 1) continue;
    const double x = std::log10(r.trained);
    x0 = std::min(x0, x), x1 = std::max(x1, x);
    y0 = std::min(y0, r.metrics[0].mean - r.metrics[0].deviation),
    y1 = std::max(y1, r.metrics[0].mean + r.metrics[0].deviation);
  }
  if (x0 > x1) return "";
  const Axis x = axis(x0 - 0.2, x1 + 0.5, kLeft, kWidth - kRight),
             y = axis(y0, y1, kHeight - kBottom, kTop);
  std::string out = frame(x, y, true, "trained parameters", plan.metrics[0]);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    if (r.scores.empty() || r.trained < 1) continue;
    const double px = x(std::log10(r.trained)), py = y(r.metrics[0].mean);
    if (r.metrics[0].deviation > 0)
      out += fmt::format("<line x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}' stroke='{}'/>", px,
                         px, y(r.metrics[0].mean - r.metrics[0].deviation),
                         y(r.metrics[0].mean + r.metrics[0].deviation), colour(i));
    out += fmt::format(
        "<circle cx='{:.1f}' cy='{:.1f}' r=5 fill='{}'><title>{}: {:.4g}</title></circle>"
        "<text x='{:.1f}' y='{:.1f}'>{}</text>",
        px, py, colour(i), escape_markup(r.name), r.metrics[0].mean, px + 8, py + 4,
        escape_markup(r.name));
  }
  return svg(out);
}

std::string curves(const std::vector<Row>& rows) {
  double x1 = 0, y0 = 1e300, y1 = -1e300;
  for (const Row& r : rows)
    for (const auto& [step, loss] : r.losses) {
      x1 = std::max(x1, static_cast<double>(step));
      y0 = std::min(y0, loss), y1 = std::max(y1, loss);
    }
  if (y0 > y1) return "";
  const Axis x{0, x1 * 1.02, kLeft, kWidth - kRight}, y = axis(y0, y1, kHeight - kBottom, kTop);
  std::string out = frame(x, y, false, "step", "training loss, first seed"), legend;
  double line = kTop + 12;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].losses.empty()) continue;
    std::string points;
    for (const auto& [step, loss] : rows[i].losses)
      points += fmt::format("{:.1f},{:.1f} ", x(static_cast<double>(step)), y(loss));
    out += fmt::format(
        "<polyline fill=none stroke='{}' stroke-width=1.5 stroke-dasharray='{}' points='{}'/>",
        colour(i), dash(i), points);
    legend += fmt::format(
        "<line x1='{}' x2='{}' y1='{:.0f}' y2='{:.0f}' stroke='{}' stroke-width=2 "
        "stroke-dasharray='{}'/><text x='{}' y='{:.0f}' text-anchor=end>{}</text>",
        kWidth - kRight - 26, kWidth - kRight - 4, line - 4, line - 4, colour(i), dash(i),
        kWidth - kRight - 32, line, escape_markup(rows[i].name));
    line += 15;
  }
  return svg(out + legend);
}

std::string maps(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& r : rows)
    for (const LayerMap& map : r.maps)
      out += fmt::format("<h2>{}: {}</h2>\n<div class=map>{}</div>\n", escape_markup(r.name),
                         escape_markup(map.title), heat_map_svg(map));
  return out;
}

constexpr const char* kStyle =
    ":root{color-scheme:light dark}body{font:15px/1.45 "
    "system-ui,sans-serif;max-width:60rem;margin:2rem "
    "auto;padding:0 1rem}table{border-collapse:collapse;width:100%}th,td{padding:.3rem "
    ".6rem;text-align:"
    "right;border-bottom:1px solid "
    "#8884}th:first-child,td:first-child{text-align:left}svg{width:100%;"
    "max-width:46rem;display:block;margin:1.5rem 0}svg "
    "text{font-size:11px;fill:currentColor}.g{stroke:"
    "#8883}.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.5em}."
    "wide{"
    "overflow-x:auto}.map "
    "svg{width:auto;max-width:100%;background:#fff;color:#000}";

}  // namespace

std::string html(const ComparePlan& plan, const std::vector<Row>& rows) {
  std::string body;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    body += fmt::format("<tr><td><span class=dot style='background:{}'></span>{}</td>", colour(i),
                        escape_markup(r.name));
    if (r.scores.empty())
      body += fmt::format("<td colspan=6>failed: {}</td></tr>\n", escape_markup(r.error));
    else
      body += fmt::format(
          "<td>{:.4g}</td><td>{}</td><td>{}</td><td>{:.0f}</td><td>{:.3g} %</td><td>{}</td>"
          "<td>{}</td></tr>\n",
          r.metrics[0].mean,
          r.scores.size() > 1 ? fmt::format("± {:.2g}", r.metrics[0].deviation) : "",
          r.scores.size(), r.trained, 100 * r.trained / r.total, human_time(r.seconds),
          human_bytes(static_cast<int64_t>(r.peak_memory)));
  }
  return fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
      "content='width=device-width'><title>{0}</title><style>{1}</style>\n<h1>{0}</h1>\n<p>{6}</"
      "p>\n"
      "<div class=wide><table><tr><th>method<th>{2}<th><th>seeds<th>trained<th>share<th>training"
      "<th>peak memory</tr>\n{3}</table></div>\n{4}{5}</html>\n",
      escape_markup(plan.title), kStyle, escape_markup(plan.metrics[0]), body, scatter(plan, rows),
      curves(rows) + maps(rows), escape_markup(plan.description));
}

}  // namespace lk
